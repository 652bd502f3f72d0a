"""Competitive ratios of policies in many orders, and the search for the worst order."""
