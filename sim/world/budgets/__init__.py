"""Keeps the budgets of a run: the ledger, the renewal of budgets, and the queries that wait for one."""
