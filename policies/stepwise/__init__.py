"""Rules for tasks of several steps, which choose a model for each step."""
