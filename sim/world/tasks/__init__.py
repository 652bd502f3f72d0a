"""Holds the tasks of a run: how their steps arrive, what they may spend, and what became of them."""
