"""Holds what makes a scenario of a recorded day: its reader, and workload, arrivals, budget and events of it."""
