"""Reads one run's request table: its checks, its series over time, the part after the warm-up."""
