"""Holds the readers of routing benchmarks, one file a format, and what makes our tables of them (``answers``)."""
