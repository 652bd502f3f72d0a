"""Rules and networks that are trained on the history, or learn while queries come."""
