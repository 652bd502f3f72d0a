"""Tests of pages that play what happened in a run."""
