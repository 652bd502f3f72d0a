"""Runs a policy in a real gateway, and keeps a record of it that can be simulated. It knows no workload."""
