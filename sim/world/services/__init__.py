"""Serves queries in one replica: instantly, in slots, in batches or behind rate limits. Each service has a file."""
