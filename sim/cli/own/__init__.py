"""Holds what lets users bring policies of their own by where these are, without a YAML."""
