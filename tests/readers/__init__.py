"""Tests of readers of foreign files: tiny files made here, and samples of real ones where they are."""
