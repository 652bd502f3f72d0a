"""Closed forms against the numbers that textbooks and other tools print."""

import math

import pytest

from sim.study.theory.general import (
    gamma_transform,
    gm1_mean_wait_s,
    gm1_sigma,
    gm1_wait_quantile_s,
    infinite_servers_probability,
    mg1_mean_wait_s,
    sharing_mean_sojourn_s,
)
from sim.study.theory.markovian import (
    erlang_a,
    erlang_b,
    erlang_c,
    limited_sharing_mean_sojourn_s,
    mm1k_blocking,
    mm1k_mean_number,
    mmc_mean_wait_s,
    mmc_wait_quantile_s,
    tandem_mean_sojourn_s,
)


def test_a_single_server_at_four_fifths_of_its_capacity() -> None:
    assert erlang_c(0.8, 1) == pytest.approx(0.8)
    wait_s = mmc_mean_wait_s(0.8, 1.0, 1)
    assert wait_s == pytest.approx(4)
    assert wait_s + 1.0 == pytest.approx(5)  # sojourn
    assert 0.8 * wait_s == pytest.approx(3.2)  # Little: mean queue
    assert mmc_wait_quantile_s(0.8, 1.0, 1, 0.99) == pytest.approx(21.910, abs=5e-4)


@pytest.mark.parametrize(
    ("rate", "mu", "servers", "waiting", "wait_s"),
    [
        (8, 1, 10, 0.409180, 0.204590),
        (0.2, 0.1, 3, 0.444444, 4.444444),
        (0.2, 0.1, 4, 0.173913, 0.869565),
        (1.5, 1, 2, 0.642857, 1.285714),
        (90, 1, 100, 0.216940, 0.021694),
    ],
)
def test_erlang_c_has_its_published_values(rate: float, mu: float, servers: int, waiting: float, wait_s: float) -> None:
    assert erlang_c(rate / mu, servers) == pytest.approx(waiting, abs=5e-7)
    assert mmc_mean_wait_s(rate, 1 / mu, servers) == pytest.approx(wait_s, abs=5e-7)


def test_ten_servers_have_their_published_queue_and_percentile() -> None:
    assert 8 * mmc_mean_wait_s(8, 1.0, 10) == pytest.approx(1.636721, abs=5e-7)
    assert mmc_wait_quantile_s(8, 1.0, 10, 0.99) == pytest.approx(1.855785, abs=5e-7)


def test_a_percentile_below_the_share_that_does_not_wait_is_zero() -> None:
    assert mmc_wait_quantile_s(8, 1.0, 10, 0.5) == 0  # 59% do not wait


@pytest.mark.parametrize(("load", "servers", "blocking"), [(8, 10, 0.121661), (5, 5, 0.284868)])
def test_erlang_b_has_its_published_values(load: float, servers: int, blocking: float) -> None:
    assert erlang_b(load, servers) == pytest.approx(blocking, abs=5e-7)


def test_a_queue_with_five_places_has_its_published_values() -> None:
    assert mm1k_blocking(0.8, 5) == pytest.approx(0.088819, abs=5e-7)
    assert mm1k_mean_number(0.8, 5) == pytest.approx(1.868332, abs=5e-7)


def test_a_queue_with_one_place_is_a_loss_system() -> None:
    assert mm1k_blocking(0.8, 1) == pytest.approx(erlang_b(0.8, 1))


@pytest.mark.parametrize(("cv", "wait_s"), [(0, 2), (1, 4), (2, 10)])
def test_pollaczek_khinchine_grows_with_the_variation_of_service(cv: float, wait_s: float) -> None:
    assert mg1_mean_wait_s(0.8, 1.0, cv) == pytest.approx(wait_s)


def test_bursty_arrivals_have_their_published_root_and_wait() -> None:
    sigma = gm1_sigma(gamma_transform(1.25, 2.0), 1.25, 1.0)
    assert sigma == pytest.approx(0.916355, abs=5e-7)
    assert gm1_mean_wait_s(sigma, 1.0) == pytest.approx(10.955228, abs=5e-7)


def test_poisson_arrivals_make_the_root_the_load() -> None:
    sigma = gm1_sigma(gamma_transform(1.25, 1.0), 1.25, 1.0)
    assert sigma == pytest.approx(0.8)
    assert gm1_wait_quantile_s(sigma, 1.0, 0.99) == pytest.approx(mmc_wait_quantile_s(0.8, 1.0, 1, 0.99))


def test_a_tandem_has_its_published_sojourn() -> None:
    assert tandem_mean_sojourn_s(0.8, [1.0, 1 / 1.25]) == pytest.approx(7.222222, abs=5e-7)


def test_a_long_job_takes_its_share_of_processor_sharing() -> None:
    assert sharing_mean_sojourn_s(1.0, 0.8) == pytest.approx(5)  # x / (1 - rho)
    assert sharing_mean_sojourn_s(3.0, 0.8) == pytest.approx(15)


@pytest.mark.parametrize(("rate", "mu"), [(3, 5), (4, 5), (3, 6)])
def test_limited_sharing_with_exponential_work_is_the_single_server(rate: float, mu: float) -> None:
    assert limited_sharing_mean_sojourn_s(rate, 1 / mu) == pytest.approx(1 / (mu - rate))


def test_patience_as_long_as_service_makes_erlang_a_infinitely_many_servers() -> None:
    # Every customer, waiting or served, then leaves at the same rate: the number is Poisson with mean 8.
    figures = erlang_a(8, 1.0, 10, 1.0)
    at_most_nine = sum(infinite_servers_probability(8, n) for n in range(10))
    assert figures.waiting == pytest.approx(1 - at_most_nine)
    queue = sum((n - 10) * infinite_servers_probability(8, n) for n in range(11, 80))
    assert figures.mean_wait_s == pytest.approx(queue / 8)
    assert figures.abandoned == pytest.approx(queue / 8)


def test_endless_patience_makes_erlang_a_erlang_c_and_none_makes_it_erlang_b() -> None:
    assert erlang_a(8, 1.0, 10, 1e9).mean_wait_s == pytest.approx(mmc_mean_wait_s(8, 1.0, 10), rel=1e-6)
    assert erlang_a(8, 1.0, 10, 1e-9).abandoned == pytest.approx(erlang_b(8, 10), rel=1e-6)


def test_an_overloaded_queue_with_patience_serves_what_it_can() -> None:
    # 20 a second against 10: half of them give up, and hardly a server is ever idle.
    assert erlang_a(20, 1.0, 10, 1.0).abandoned == pytest.approx(0.5, abs=0.01)


def test_infinitely_many_servers_hold_a_poisson_number() -> None:
    assert infinite_servers_probability(2, 0) == pytest.approx(math.exp(-2))
    assert sum(n * infinite_servers_probability(2, n) for n in range(60)) == pytest.approx(2)


def test_an_unstable_queue_has_no_mean_wait() -> None:
    with pytest.raises(ValueError, match="the offered load is 10; it must be positive and below the number of servers"):
        mmc_mean_wait_s(10, 1.0, 10)
    with pytest.raises(ValueError, match=r"the offered load is 1\.2; .* below the number of servers, 1"):
        gm1_sigma(gamma_transform(1.0, 2.0), 1.0, 1.2)
