"""One file a verb: what ``switchyard VERB`` does."""
