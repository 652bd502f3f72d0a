"""One run: the clock, the deployments, the ledger and the request table."""
