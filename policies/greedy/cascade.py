"""Ask a cheap deployment first, and the next one where its answer comes with a low confidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from policies.parts.named_deployments import pair_of, place_of
from sim.errors import check_number
from sim.interface import Answer, Combine, Decision, Keep, Policy, Query, Reasons, Setting, State


class Cascade(Policy):
    """Keep the first answer whose confidence is not below a threshold, and the last that came if none is.

    The simple threshold form of a cascade. FrugalGPT (Chen, Zaharia and Zou 2023, arXiv 2305.05176) scores answers by a
    model of its own and learns order and thresholds; with two deployments and the margin between the likeliest next
    tokens as confidence it is the rule of Ramirez, Birch and Titov 2024 (arXiv 2405.02134) with a fixed threshold.
    A call that was refused or lost is followed by the next. Where the workload has no confidences, they are NaN, which
    is below nothing, so that the first answer is kept.

    Parameters
    ----------
    threshold : float
        On the scale of the workload's confidences.
    deployments : sequence of str or None
        In the order of asking. None for two: the cheapest and the best on average in the history; one, if it is both.

    Raises
    ------
    ValueError
        If the threshold is not a finite number, or a deployment is unknown, named twice, or there is none.
    """

    def __init__(self, threshold: float = 0.5, deployments: Sequence[str] | None = None) -> None:
        check_number("threshold", threshold)
        if deployments is not None and not 0 < len(set(deployments)) == len(deployments):
            raise ValueError(f"deployments is {list(deployments)}; it must name one or more, each once, or be null")
        self._threshold = threshold
        self._names = deployments

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Find the deployments to ask."""
        if self._names is None:
            self._ladder = list(dict.fromkeys(pair_of(setting, None)))
        else:
            self._ladder = [place_of(setting, name) for name in self._names]

    def lacks(self, setting: Setting) -> str | None:
        """Say so where no answer has a confidence."""
        return None if setting.signals.confidences else "no answer comes with a confidence"

    def reasons(self, query: Query, state: State) -> Reasons:
        """Say what makes it ask again."""
        return Reasons(words=f"it asks the next one where an answer's confidence is below {self._threshold:g}")

    def decide(self, query: Query, state: State) -> Decision:
        """Ask the first."""
        return Decision(self._ladder[0])

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        """Keep what is sure enough, else ask the next; after the last keep what came last."""
        last = answers[-1]
        if last.came and not last.confidence < self._threshold:
            return Keep(len(answers) - 1)
        if len(answers) < len(self._ladder):
            return Decision(self._ladder[len(answers)])
        came = [index for index, answer in enumerate(answers) if answer.came]
        return Keep(came[-1]) if came else Decision(None)
