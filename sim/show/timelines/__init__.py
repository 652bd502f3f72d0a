"""Draws what is over time, with the events and crowds of a run marked on it."""
