"""What one run's record says: its checks, its series over time, the part after the warm-up."""
