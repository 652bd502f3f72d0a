"""Tests of the rules for tasks of several steps."""
