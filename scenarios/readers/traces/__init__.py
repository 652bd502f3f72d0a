"""Holds the readers of recorded requests, one file a format, and the rules for their rows (``recorded``)."""
