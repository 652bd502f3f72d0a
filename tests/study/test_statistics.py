"""Intervals, warm-up and batch means: by hand, then by how often they are right."""

import numpy as np
import pytest
from scipy import stats

from sim.interface import FloatArray
from sim.study.statistics import (
    batch_means,
    batch_means_interval,
    fitted_line,
    mean_interval,
    mser5,
    paired_difference,
    quantile_interval,
)


def test_the_interval_of_three_values_is_students() -> None:
    mean, half_width = mean_interval([1.0, 2.0, 3.0])
    assert mean == 2
    assert half_width == pytest.approx(4.302653 / 3**0.5)  # t quantile with 2 degrees of freedom, deviation 1


def test_pairs_differ_by_less_than_their_values_vary() -> None:
    a, b = [11.0, 22.0, 33.0], [10.0, 20.0, 30.0]
    assert paired_difference(a, b) == pytest.approx((2.0, 4.302653 / 3**0.5))
    assert paired_difference(a, b)[1] < mean_interval(a)[1]


def test_pairs_need_as_many_values_of_each() -> None:
    with pytest.raises(ValueError, match="a has 2 values and b 3; pairs need as many of each"):
        paired_difference([1.0, 2.0], [1.0, 2.0, 3.0])


def test_mser5_leaves_out_a_high_beginning() -> None:
    # Two fives of 9, then fives of 0 and 1 in turn: leaving out more than ten values saves nothing.
    assert mser5([9.0] * 10 + ([0.0] * 5 + [1.0] * 5) * 10) == 10


def test_mser5_leaves_out_a_whole_five_for_one_odd_value_in_it() -> None:
    assert mser5([0.0] * 4 + [100.0] + ([0.0] * 5 + [1.0] * 5) * 10) == 5


def test_mser5_keeps_everything_where_nothing_is_odd() -> None:
    # Fives of 0 and 1 in turn have the least standard error when all are kept.
    assert mser5(([0.0] * 5 + [1.0] * 5) * 10) == 0


def test_mser5_never_leaves_out_more_than_half() -> None:
    assert mser5(np.repeat([float(-k) for k in range(20)], 5)) <= 50


def test_mser5_is_the_minimum_over_every_truncation() -> None:
    values = np.random.default_rng(4).exponential(size=200) + 5 * np.exp(-np.arange(200) / 10)
    fives = values.reshape(40, 5).mean(axis=1)
    errors = [fives[d:].var() / (40 - d) for d in range(21)]  # sum of squares / (k - d)^2
    assert mser5(values) == 5 * int(np.argmin(errors))
    assert mser5(values) > 0


def test_mser5_needs_ten_values() -> None:
    with pytest.raises(ValueError, match="there are 9 values; MSER-5 needs at least 10"):
        mser5([0.0] * 9)


def test_batches_are_equal_stretches_and_the_oldest_remainder_is_left_out() -> None:
    values = [99.0, 0.0, 2.0, 1.0, 3.0, 2.0, 4.0]
    assert batch_means(values, 3).tolist() == [1, 2, 3]
    assert batch_means_interval(values, n_batches=3) == pytest.approx((2.0, 4.302653 / 3**0.5))


def test_one_batch_has_no_interval() -> None:
    with pytest.raises(ValueError, match="n_batches is 1; it must be from 2 to the number of values, 3"):
        batch_means([1.0, 2.0, 3.0], 1)


def stationary_waits(load: float, n_replications: int, n_customers: int, rng: np.random.Generator) -> FloatArray:
    """Waits (n_customers, n_replications) in M/M/1 with mean service 1, begun in its stationary state: no warm-up."""
    wait = np.where(rng.random(n_replications) < load, rng.exponential(1 / (1 - load), n_replications), 0.0)
    waits = np.empty((n_customers, n_replications))
    for n in range(n_customers):  # Lindley
        waits[n] = wait
        wait = np.maximum(0, wait + rng.exponential(1.0, n_replications) - rng.exponential(1 / load, n_replications))
    return waits


def coverage(intervals: list[tuple[float, float]], truth: float) -> float:
    return float(np.mean([abs(mean - truth) <= half_width for mean, half_width in intervals]))


def test_batch_means_cover_the_mean_wait_95_times_in_100() -> None:
    # Load 0.5, mean wait 1. 1,000 runs: the standard error of the coverage is 0.7%.
    waits = stationary_waits(0.5, 1_000, 8_000, np.random.default_rng(6))
    assert 0.93 <= coverage([batch_means_interval(run, 20) for run in waits.T], 1.0) <= 0.97


def test_intervals_over_replications_cover_the_mean_wait_95_times_in_100() -> None:
    # 1,000 studies of 20 replications of 400 customers each.
    means = stationary_waits(0.5, 20_000, 400, np.random.default_rng(7)).mean(axis=0)
    assert 0.93 <= coverage([mean_interval(study) for study in means.reshape(1_000, 20)], 1.0) <= 0.97


def test_the_interval_of_a_quantile_is_that_of_the_share_below_it() -> None:
    # Even numbers, then odd ones: half of each batch is up to the median, so its interval has no width.
    even, odd = np.arange(0.0, 100.0, 2), np.arange(1.0, 100.0, 2)
    assert quantile_interval(np.concatenate([even, odd]), 0.5, n_batches=2) == (49.5, 49.5, 49.5)
    # In order, the share up to the median is 1 and then 0: nothing bounds it.
    assert quantile_interval(np.arange(100.0), 0.5, n_batches=2) == (49.5, -np.inf, np.inf)
    # Of two batches of 100, 52 and 48 are up to the median: 0.5 +- 12.706 x 0.02, by t with one degree of freedom.
    numbers = np.arange(200.0)
    batches = np.concatenate([numbers[:52], numbers[100:148], numbers[52:100], numbers[148:]])
    _, low, high = quantile_interval(batches, 0.5, n_batches=2)
    assert [low, high] == pytest.approx([99.5 - 199 * 12.7062 * 0.02, 99.5 + 199 * 12.7062 * 0.02], abs=1e-3)


def test_intervals_of_the_99th_percentile_of_wait_cover_it_95_times_in_100() -> None:
    # P(W > t) = 0.5 exp(-t / 2): the percentile is 2 ln 50. One in 100 waits longer, and these come together.
    waits = stationary_waits(0.5, 1_000, 12_000, np.random.default_rng(9))
    intervals = [quantile_interval(run, 0.99, 20)[1:] for run in waits.T]
    assert 0.93 <= np.mean([low <= 2 * np.log(50) <= high for low, high in intervals]) <= 0.97


def test_waits_that_begin_in_the_stationary_state_have_the_mean_of_theory() -> None:
    # Guards the two tests above: 20,000 first and 20,000 hundredth waits, each with standard error 0.012.
    waits = stationary_waits(0.5, 20_000, 100, np.random.default_rng(8))
    assert waits[[0, -1]].mean(axis=1) == pytest.approx([1.0, 1.0], abs=0.05)


def test_a_fitted_line_is_that_of_scipy() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.random(30), rng.random(30)
    line, oracle = fitted_line(x, y, np.arange(30) % 6), stats.linregress(x, y)
    assert line.slope == pytest.approx(oracle.slope)
    assert line.intercept == pytest.approx(oracle.intercept)
    assert line.r_squared == pytest.approx(oracle.rvalue**2)


def test_a_line_through_shared_luck_has_the_right_slope_in_95_of_100_replicated_studies() -> None:
    rng = np.random.default_rng(5)
    x = np.tile([1.0, 0.5, 0.25, 0.125], 12)
    replication = np.repeat(np.arange(12), 4)

    def covers() -> bool:
        luck = rng.normal(size=(2, 12))[:, replication]  # each replication has its own line
        y = 0.3 + 0.5 * x + 0.1 * luck[0] + 0.1 * luck[1] * x + 0.02 * rng.normal(size=48)
        line = fitted_line(x, y, replication)
        return abs(line.slope - 0.5) <= line.slope_half_width

    assert 0.93 < np.mean([covers() for _ in range(2000)]) < 0.97


def test_a_line_needs_two_replications_and_two_places() -> None:
    with pytest.raises(ValueError, match="there are 1 replications and 2 values of x; a line needs 2 of each"):
        fitted_line([1.0, 2.0], [1.0, 2.0], [0, 0])
