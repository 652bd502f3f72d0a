"""Runs one policy on one instance: the clock, the deployments, the ledger and the request table."""
