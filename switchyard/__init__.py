"""Switchyard from other programs: ``switchyard.live`` behind a gateway, ``switchyard.gym`` for learned routers.

The simulator itself stands in ``sim``; this package joins it with what it must not know, and nothing imports it.
"""
