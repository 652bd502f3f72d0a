"""Confidence, latency, energy and preference: as columns of a table, in the world, and as a policy meets them."""
