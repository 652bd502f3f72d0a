"""Choose the best predicted quality, whatever it costs."""

from __future__ import annotations

from sim.interface import Decision, Estimator, Policy, Query, Reasons, State


class BestPredicted(Policy):
    """argmax_i quality_hat_i, ties to the lowest index.

    With HNSW neighbours it is PORT's Greedy-Perf, with exact ones KNN-Perf, with a learned estimator the counterpart of
    Roberta-Perf (arXiv 2509.02718, section 5).
    """

    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator

    def reasons(self, query: Query, state: State) -> Reasons:
        """Show that predicted quality is all that counts."""
        return Reasons(scores=query.quality_hat, words="it looks at predicted quality alone")

    def decide(self, query: Query, state: State) -> Decision:
        """Return the argmax."""
        return Decision(int(query.quality_hat.argmax()))
