"""Holds the builders of public tables and traces: where each is published, and how its files become ours."""
