"""Answers for eyes, made from traces and summaries only."""
