"""What runs did, step by step, and why."""
