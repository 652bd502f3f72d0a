"""Holds the readers of price lists, one file a format, and how a model is found in one (``listed``)."""
