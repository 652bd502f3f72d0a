"""Output directories: what is written, whose it is, and what it was made of."""
