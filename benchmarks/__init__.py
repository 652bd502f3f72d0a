"""Ratios between loops, measured in one run; printed, never asserted."""
