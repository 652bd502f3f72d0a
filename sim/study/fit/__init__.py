"""Service parameters from measured requests."""
