"""Steward where it was not tuned: python -m benchmarks.robustness."""
