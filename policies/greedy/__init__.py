"""Rules that take what is predicted best, good enough or cheapest, and plan no budget."""
