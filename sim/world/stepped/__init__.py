"""Holds the world as somebody outside it decides, query by query."""
