"""What a service's hyperparameters must be. It knows numbers and names only."""

from __future__ import annotations


def check_counts(service: object, *names: str) -> None:
    """Raise ValueError for an attribute that is neither None nor at least 1."""
    for name in names:
        value = getattr(service, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1, or null for no limit")


def check_times(service: object, *names: str) -> None:
    """Raise ValueError for an attribute that is negative or not finite."""
    for name in names:
        if not 0 <= getattr(service, name) < float("inf"):
            raise ValueError(f"{name} is {getattr(service, name)}; it must be finite and at least 0")


def check_factor(factor: float) -> None:
    """Raise ValueError unless a slow-down is positive and finite."""
    if not 0 < factor < float("inf"):
        raise ValueError(f"factor is {factor}; it must be positive and finite")
