"""Switchyard's simulator: the clock and the truth. It knows no policy by name."""
