"""Fits service parameters to measured requests."""
