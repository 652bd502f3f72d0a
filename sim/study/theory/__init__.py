"""Closed forms of queueing theory, and when they apply."""
