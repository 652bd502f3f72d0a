"""Hydra configuration groups; nothing imports this package."""
