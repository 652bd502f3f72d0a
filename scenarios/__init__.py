"""Holds what is simulated: workloads, fleets, budgets, arrivals, orders and events."""
