"""Compares finished studies: how far they are apart, and which policy is the best."""
