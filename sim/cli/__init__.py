"""Holds the command ``switchyard``; nothing outside this package knows Hydra."""
