"""Holds the contract of a policy, as checks that run it."""

from sim.study.contract.fences import (
    NothingHiddenError,
    asking_changes_nothing,
    causal_fence,
    check_world,
    counterfactual_fence,
    history_fence,
    purity_of_estimator,
    reset_forgets,
    score_fence,
)

__all__ = [
    "NothingHiddenError",
    "asking_changes_nothing",
    "causal_fence",
    "check_world",
    "counterfactual_fence",
    "history_fence",
    "purity_of_estimator",
    "reset_forgets",
    "score_fence",
]
