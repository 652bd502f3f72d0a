"""Finds the fewest replicas, largest load, smallest budget or cheapest fleet that meets targets."""
