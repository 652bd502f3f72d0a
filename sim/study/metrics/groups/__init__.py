"""Measures groups of queries: those of a class, and those of a tenant."""
