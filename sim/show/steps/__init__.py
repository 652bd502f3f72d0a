"""Words and tables of what runs did, step by step, and why."""
