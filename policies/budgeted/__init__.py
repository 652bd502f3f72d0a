"""Rules that price, pace or plan their budgets."""
