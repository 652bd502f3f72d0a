"""How a replica serves: instantly, in slots, in batches or behind a rate limit. One service, one file."""
