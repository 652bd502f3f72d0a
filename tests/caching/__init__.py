"""What a cache of answers does to a run."""
