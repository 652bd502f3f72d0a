"""Samplers against scipy.stats, and the service whose time is drawn."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from sim.distributions import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    Hyperexponential,
    Lognormal,
)

N = 20_000
HYPER = Hyperexponential(3.0, 2.0)


def hyper_cdf(x: Any) -> Any:
    p = HYPER.probability
    return p * stats.expon.cdf(x, scale=3 / (2 * p)) + (1 - p) * stats.expon.cdf(x, scale=3 / (2 * (1 - p)))


@pytest.mark.parametrize(
    ("distribution", "cdf"),
    [
        (Exponential(3.0), stats.expon(scale=3).cdf),
        # Variance 4 and mean 1: sigma^2 = ln 5, mu = -ln(5) / 2.
        (Lognormal(1.0, 2.0), stats.lognorm(np.sqrt(np.log(5)), scale=5**-0.5).cdf),
        (Gamma(3.0, 2.0), stats.gamma(0.25, scale=12).cdf),
        (Gamma(3.0, 0.5), stats.gamma(4, scale=0.75).cdf),
        (HYPER, hyper_cdf),
    ],
    ids=["exponential", "log-normal", "gamma, cv 2", "gamma, cv 0.5", "hyperexponential"],
)
def test_a_sampler_passes_the_kolmogorov_smirnov_test(distribution: Distribution, cdf: Any) -> None:
    assert stats.kstest(distribution.draw(N, np.random.default_rng(1)), cdf).pvalue > 0.01


@pytest.mark.parametrize(
    "distribution",
    [Exponential(3.0), Constant(3.0), Lognormal(3.0, 0.5), Gamma(3.0, 2.0), HYPER, Empirical((1.0, 2.0, 6.0))],
    ids=repr,
)
def test_samples_have_the_stated_mean_and_variation(distribution: Distribution) -> None:
    drawn = distribution.draw(200_000, np.random.default_rng(2))
    assert drawn.shape == (200_000,)
    assert distribution.mean_s == pytest.approx(3.0)
    assert drawn.mean() == pytest.approx(3.0, rel=0.02)  # cv / sqrt(n) is at most 0.0045
    assert drawn.std() / drawn.mean() == pytest.approx(distribution.cv, rel=0.02)


def test_an_empirical_sample_repeats_the_measured_values_and_no_other() -> None:
    drawn = Empirical((1.0, 2.0, 2.0, 6.0)).draw(4_000, np.random.default_rng(3))
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [1.0, 2.0, 6.0]
    assert stats.chisquare(counts, [1000, 2000, 1000]).pvalue > 0.01


def test_balanced_means_give_the_two_kinds_the_same_share_of_the_time() -> None:
    p = HYPER.probability  # (1 + sqrt(3 / 5)) / 2
    assert p == pytest.approx(0.887298, abs=5e-7)
    assert p * 3 / (2 * p) == pytest.approx((1 - p) * 3 / (2 * (1 - p)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Exponential(0.0), r"mean_s is 0\.0; it must be positive and finite"),
        (lambda: Constant(-1.0), r"value_s is -1\.0; it must be at least 0 and finite"),
        (lambda: Lognormal(1.0, 0.0), r"cv is 0\.0; it must be positive and finite"),
        (lambda: Gamma(float("inf"), 1.0), "mean_s is inf; it must be positive and finite"),
        (lambda: Hyperexponential(1.0, 1.0), r"cv is 1\.0; it must be above 1 and finite"),
        (lambda: Empirical(()), "values_s is empty; it needs at least one value"),
        (lambda: Empirical((1.0, -2.0)), r"values_s holds -2\.0; every value must be finite and at least 0"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
