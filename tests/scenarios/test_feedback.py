"""What reaches a policy of the scores of its answers: two models, worth 0.5 and 1.0, one query a second."""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from policies.parts.residuals import Residuals
from sim.distributions import Constant
from sim.interface import Feedback
from sim.scores import Scores
from sim.world.services.timed import Timed
from tests.scripted import Scripted, run


@dataclass
class Listening(Scripted):
    """Note which scores come at completion, and which later."""

    late: list[Feedback] = field(default_factory=list)

    def learn_score(self, feedback: Feedback) -> None:
        self.late.append(feedback)


def heard(feedback: Scores, n: int = 4, choice: int = 0) -> tuple[list[float], list[float]]:
    """The scores at completion, and those that come later."""
    policy = Listening([choice] * n)
    run(policy, [float(k) for k in range(n)], feedback=feedback)
    return [each.quality for each in policy.learned], [each.quality for each in policy.late]


def test_by_default_every_score_comes_at_completion_as_it_is() -> None:
    assert heard(Scores()) == ([0.5] * 4, [])
    assert heard(Scores(), choice=1) == ([1.0] * 4, [])


def test_costs_and_latencies_come_at_completion_though_nobody_scores() -> None:
    policy = Listening([1] * 3)
    requests = run(policy, [0.0, 1.0, 2.0], service=Timed(1, Constant(0.25)), feedback=Scores(share=0.0))
    assert [(each.cost, each.latency_s) for each in policy.learned] == [(2.0, 0.25)] * 3
    assert all(math.isnan(each.quality) for each in policy.learned)
    assert policy.late == []
    assert requests["quality"].tolist() == [1.0] * 3  # the record keeps the truth


def test_a_late_score_comes_so_long_after_its_answer_if_any_query_has_yet_to_end() -> None:
    policy = Listening([0] * 4)
    run(policy, [0.0, 1.0, 2.0, 3.0], feedback=Scores(delay_s=1.5))
    assert all(math.isnan(each.quality) for each in policy.learned)
    assert [each.query.id for each in policy.late] == [0, 1]  # at 1.5 and 2.5; the run ends at 3
    assert heard(Scores(delay_s=1.0))[1] == [0.5] * 3  # a score that comes with an arrival comes before it


def test_waiting_for_scores_does_not_lengthen_a_run() -> None:
    def rent(feedback: Scores) -> float:
        policy = Listening([0, 0])
        return float(run(policy, [0.0, 1.0], feedback=feedback)["ended_at_s"].max())

    assert rent(Scores(delay_s=1000.0)) == rent(Scores()) == 1.0


def test_about_the_share_of_the_queries_gets_a_score_and_the_same_ones_for_every_policy() -> None:
    first, second = (np.isnan(heard(Scores(share=0.3), 1000, choice)[0]) for choice in (0, 1))
    assert first.tolist() == second.tolist()
    assert (~first).mean() == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 1000))


def test_noise_has_its_deviation_and_stays_within_0_and_1() -> None:
    errors = np.array(heard(Scores(noise=0.1), 1000)[0]) - 0.5
    assert errors.mean() == pytest.approx(0.0, abs=4 * 0.1 / math.sqrt(1000))
    assert errors.std() == pytest.approx(0.1, abs=4 * 0.1 / math.sqrt(2000))
    wild = np.array(heard(Scores(noise=9.0), 1000)[0])
    assert set(np.round(wild, 6)) >= {0.0, 1.0}
    assert ((wild >= 0) & (wild <= 1)).all()


def test_a_judge_who_takes_right_for_wrong_says_one_less_the_truth() -> None:
    assert heard(Scores(flipped=1.0), choice=1)[0] == [0.0] * 4
    assert heard(Scores(flipped=0.4), 1000, choice=1)[0].count(0.0) == pytest.approx(400, abs=4 * math.sqrt(240))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 1.5}, "feedback.share is 1.5; it must be from 0 to 1"),
        ({"delay_s": -1.0}, "feedback.delay_s is -1.0"),
        ({"noise": math.nan}, "feedback.noise is nan"),
        ({"flipped": -0.1}, "feedback.flipped is -0.1"),
    ],
)
def test_numbers_that_cannot_be_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scores(**settings)


def test_what_is_not_known_of_an_outcome_corrects_nothing() -> None:
    there = np.array([1.0, 0.0], dtype=np.float32)
    residuals = Residuals(np.zeros(2, dtype=np.float32), horizon=10)
    residuals.add(there, math.nan, 0.3)
    assert residuals.at(there) == pytest.approx((0.0, 0.3 / 1.5), abs=1e-3)
    residuals.add(there, -0.6, math.nan)
    assert residuals.at(there) == pytest.approx((-0.6 / 1.5, 0.3 / 1.5), abs=1e-3)
