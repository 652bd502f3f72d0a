"""Holds one file a verb: what ``switchyard VERB`` does."""
