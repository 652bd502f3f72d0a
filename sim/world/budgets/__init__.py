"""Money in a run: the ledger of every budget, how budgets renew, and which queries wait for one."""
