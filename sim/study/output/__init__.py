"""Holds output directories: what is written, which command wrote it, and what it was made of."""
