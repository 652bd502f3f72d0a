"""Holds what a sweep is made of: its points, where they run, and the directory they are in."""
