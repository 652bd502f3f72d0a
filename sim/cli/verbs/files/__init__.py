"""Holds the verbs that make files of other files: public tables, and imported ones."""
