"""Holds the builders of truth tables, one for each kind of data set."""
