"""Computes competitive ratios of policies in many orders, and searches for the worst order."""
