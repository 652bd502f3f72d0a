"""Ask a few models at once, score their answers by what comes with them, ask again while none will do, aggregate."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

import numpy as np

from policies.parts.named_deployments import averages, place_of
from sim.errors import check_number, check_one_of
from sim.interface import (
    Answer,
    Combine,
    Decision,
    Estimator,
    FloatArray,
    IntArray,
    Keep,
    Policy,
    Query,
    Setting,
    State,
)

SIGNALS = ("ranked", "given")
NO_SELF_AT_FIRST, NO_SELF = 0.8, 0.5  # self scores where there are none, after the first and the second round


class RouteMoA(Policy):
    """Rounds of up to ``width`` calls, self and peer scores after the first and the second, and an aggregator last.

    RouteMoA (arXiv 2601.18130) in the form of its code, with the estimator as scorer. With x = quality_hat a model's
    first score is m(x) = 0.8 x^1.5 for x below 0.5, else 1 - 0.8 (1 - x)^1.5; models within ``margin`` of the best are
    kept. Each round asks the ``width`` best of those kept, at once. A score is then

    - after the first round (2 m + self) / 3, where self is 0.8 for a model that did not say,
    - after the second m / 2 + self / 4 + peer / 4, where self is 0.5 for one that did not say; without a peer's score
      it stays as it was, as that of the judge does and of a model without an answer in the first round.

    Rounds end when the best score is above ``enough``, when there have been ``rounds`` of them, or when ``max_calls``
    leaves no room for another and the aggregator, which is called in any case. Its call is paid for. Where the workload
    says what answers are worth together the user gets those of the last round combined, else the best scored of all
    answers, as no table knows what an aggregator makes of others' answers. Ties go to the cheaper model by estimate.

    *Inferred*: what self and peer scores are. Self is the answer's confidence: ``given``, at most 1, or ``ranked``,
    its place among all confidences of that deployment so far, which needs no scale. The judge is the model of the
    highest self score. Its score of a peer is its own self score times the peer's, plus what is left of 1 times the
    peer's m: a judge that is sure of itself reads the answer, one that is not goes by what is known beforehand. Of an
    answer without a confidence it says m. A model that is asked again gives its answer again, as tables have one of
    each; one whose call was refused or lost is asked no more.

    Parameters
    ----------
    estimator : Estimator
    width : int
        Calls of a round at most.
    rounds : int
        At most; the paper has 3, for which a query may take 10 calls (``max_calls``).
    margin : float
        By so much a first score may be below the best.
    enough : float
        Above this score no further round is asked.
    self_scores : str
        ``ranked`` or ``given``.
    aggregator : str or None
        A deployment; None for the best on average in the history.

    Raises
    ------
    ValueError
        If a number is out of its range, or the aggregator is unknown.
    """

    def __init__(
        self,
        estimator: Estimator,
        width: int = 3,
        rounds: int = 3,
        margin: float = 0.2,
        enough: float = 0.805,
        self_scores: str = "ranked",
        aggregator: str | None = None,
    ) -> None:
        check_number("width", width, least=1)
        check_number("rounds", rounds, least=1)
        check_number("margin", margin, least=0)
        check_number("enough", enough)
        check_one_of("self_scores", self_scores, SIGNALS)
        self.estimator = estimator
        self._width = width
        self._rounds = rounds
        self._margin = margin
        self._enough = enough
        self._self_scores = self_scores
        self._name = aggregator

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Find the aggregator, and forget all confidences."""
        best = int(np.argmax(averages(setting.history)[0]))
        self._aggregator = best if self._name is None else place_of(setting, self._name)
        self._max_calls = setting.max_calls
        self._combines = setting.combines
        self._confidences: list[list[float]] = [[] for _ in setting.fleet]
        self._mixtures: dict[int, Mixture] = {}

    def lacks(self, setting: Setting) -> str | None:
        """Say so where no answer has a confidence, by which it would correct scores."""
        return None if setting.signals.confidences else "no answer comes with a confidence"

    def decide(self, query: Query, state: State) -> Decision:
        """Ask the best of those kept at once."""
        prior = mapped(query.quality_hat)
        able = state.available if state.available.any() else np.ones(len(prior), dtype=np.bool_)
        kept = np.flatnonzero(able & (prior >= prior[able].max() - self._margin))
        mixture = self._mixtures[query.id] = Mixture(prior, kept, query.cost_hat)
        return self._ask(mixture, 0)

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        """Score the answers of a round, and ask again, aggregate or hand over."""
        mixture = self._mixtures[query.id]
        if not mixture.is_aggregated:
            mixture.drops({answer.deployment for answer in answers if not answer.came})
            said = {answer.deployment: answer for answer in answers[mixture.since :] if answer.came}
            if mixture.n_rounds == 1:
                mixture.hears({k: self._signal(answer) for k, answer in said.items()})
            elif mixture.n_rounds == 2:
                mixture.hears_peers({k: self._signal(said[k]) for k in said.keys() - mixture.first.keys()})
            left = self._max_calls - len(answers)
            following = mixture.best(self._width)
            goes_on = mixture.n_rounds < self._rounds and not mixture.best_score() > self._enough
            if goes_on and 0 < len(following) < left:
                return self._ask(mixture, len(answers))
            if left > 0:
                mixture.is_aggregated = True
                return Decision(self._aggregator)
        del self._mixtures[query.id]
        return self._handed_over(mixture, answers)

    def _ask(self, mixture: Mixture, n_answers: int) -> Decision:
        first, *others = mixture.best(min(self._width, max(1, self._max_calls - 1)))
        mixture.n_rounds += 1
        mixture.since = n_answers
        return Decision(first, alongside=tuple(others))

    def _signal(self, answer: Answer) -> float:
        """Return the self score of an answer in [0, 1], NaN if it has no confidence; take note of the confidence."""
        if math.isnan(answer.confidence) or self._self_scores == "given":
            return min(answer.confidence, 1.0)
        seen = self._confidences[answer.deployment]
        below, upto = bisect.bisect_left(seen, answer.confidence), bisect.bisect_right(seen, answer.confidence)
        seen.insert(below, answer.confidence)
        return (below + (upto - below + 1) / 2) / len(seen)  # equals stand in the middle, itself among them

    def _handed_over(self, mixture: Mixture, answers: Sequence[Answer]) -> Decision | Keep | Combine:
        """Return the last round combined, or the best scored of all answers, or the aggregator's own if it is alone."""
        before = len(answers) - mixture.is_aggregated
        last = [place for place in range(mixture.since, before) if answers[place].came]
        if self._combines and last and answers[-1].came:
            return Combine(last)
        came = [place for place in range(before) if answers[place].came]
        if came:
            return Keep(max(came, key=lambda place: (mixture.score[answers[place].deployment], -place)))
        return Keep(len(answers) - 1) if answers[-1].came else Decision(None)


class Mixture:
    """One query's models: scores so far, and which of them are kept.

    Parameters
    ----------
    prior : array (n_deployments,)
        Mapped scores.
    kept : int array (n_kept,)
    cost : array (n_deployments,)
        Estimated, for ties.
    """

    def __init__(self, prior: FloatArray, kept: IntArray, cost: FloatArray) -> None:
        self.prior, self.kept, self._cost = prior, kept, cost
        self.score = prior.copy()
        self.n_rounds = self.since = 0
        self.is_aggregated = False
        self.first: dict[int, float] = {}  # self scores of the first round

    def best(self, width: int) -> list[int]:
        """Return the best of those kept: by score, then by cost, then by index."""
        order = np.lexsort((self._cost[self.kept], -self.score[self.kept]))
        chosen: list[int] = self.kept[order][:width].tolist()
        return chosen

    def best_score(self) -> float:
        """Return the greatest score of those kept."""
        return float(self.score[self.kept].max(initial=0.0))

    def drops(self, lost: set[int]) -> None:
        """Keep no model whose call was refused or lost."""
        if lost:
            self.kept = np.array([k for k in self.kept.tolist() if k not in lost], dtype=np.int64)

    def hears(self, said: dict[int, float]) -> None:
        """Score those kept by what the models that answered say of themselves; NaN if they say nothing."""
        self.first = said
        for k in self.kept.tolist():
            self.score[k] = (2 * self.prior[k] + known(said.get(k, math.nan), NO_SELF_AT_FIRST)) / 3

    def hears_peers(self, newly: dict[int, float]) -> None:
        """Score those with an answer in the first round by themselves and by the surest of all that have answered.

        Parameters
        ----------
        newly : dict of int to float
            Self scores of models that were asked in the second round for the first time.
        """
        said = {k: score for k, score in (self.first | newly).items() if not math.isnan(score)}
        if not said:
            return
        judge = max(said, key=lambda k: (said[k], -k))
        for k in self.kept.tolist():
            if k in self.first and k != judge:
                prior = float(self.prior[k])
                peer = said[judge] * said[k] + (1 - said[judge]) * prior if k in said else prior
                self.score[k] = 0.5 * prior + 0.25 * known(self.first[k], NO_SELF) + 0.25 * peer


def known(score: float, otherwise: float) -> float:
    """Return a score, or what stands for it where there is none."""
    return otherwise if math.isnan(score) else score


def mapped(quality: FloatArray) -> FloatArray:
    """Return m(x): 0.8 x^1.5 below 0.5, else 1 - 0.8 (1 - x)^1.5; quality is taken into [0, 1] first.

    >>> mapped(np.array([0.25, 0.75])).round(4).tolist()
    [0.1, 0.9]
    """
    x = np.clip(quality, 0.0, 1.0)
    return np.where(x < 0.5, 0.8 * x**1.5, 1 - 0.8 * (1 - x) ** 1.5)
