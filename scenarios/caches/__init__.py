"""Holds the caches that may stand before a policy: rules that say which stored answer goes first. They know no clock.

``lru`` (the one not used for longest), ``lfu`` (asked for least often), ``gdsf`` (least frequency x cost / size, with
ageing) and ``least_expected_cost``. What all of them have in common is in ``settings``.
"""
