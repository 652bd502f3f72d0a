"""Verbs, and words of verbs, that tell a run step by step."""
