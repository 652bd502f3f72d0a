"""Draws what became of single queries, beside a plan that knows them all: at which price, which of them, and where."""
