"""How evenly tenants are served, by numbers that a hand can check."""

import numpy as np
import pandas as pd
import pytest

from sim.study.metrics.groups.fairness import (
    jain,
    jain_latency,
    jain_output_tokens,
    jain_served_share,
    least_served_share,
)

REQUESTS = pd.DataFrame(
    {
        "tenant": ["a", "a", "a", "b", "b"],
        "fate": ["served", "served", "rejected", "served", "served"],
        "arrived_at_s": [0.0, 0.0, 0.0, 0.0, 0.0],
        "finished_at_s": [1.0, 3.0, np.nan, 6.0, 6.0],
        "output_tokens": [10, 20, None, 30, 60],
    }
)


def test_the_index_is_1_if_all_got_the_same_and_k_of_n_if_k_got_all() -> None:
    assert jain(np.full(7, 0.3)) == pytest.approx(1)
    assert jain(np.array([2.0, 2.0, 0.0, 0.0, 0.0])) == pytest.approx(2 / 5)
    assert np.isnan(jain(np.zeros(3)))


def test_it_is_of_what_each_tenant_got() -> None:
    assert jain_served_share(REQUESTS) == pytest.approx((2 / 3 + 1) ** 2 / (2 * (4 / 9 + 1)))
    assert least_served_share(REQUESTS) == pytest.approx(2 / 3)
    assert jain_output_tokens(REQUESTS) == pytest.approx((30 + 90) ** 2 / (2 * (30**2 + 90**2)))
    assert jain_latency(REQUESTS) == pytest.approx((2 + 6) ** 2 / (2 * (2**2 + 6**2)))


def test_one_who_was_not_served_counts_as_nothing_but_has_no_latency() -> None:
    lost = REQUESTS.assign(fate=["rejected"] * 3 + ["served"] * 2, finished_at_s=[np.nan] * 3 + [6.0, 6.0])
    lost["output_tokens"] = lost["output_tokens"].where(lost["fate"] == "served")
    assert jain_served_share(lost) == 0.5
    assert jain_output_tokens(lost) == 0.5
    assert jain_latency(lost) == 1


def test_without_tenants_there_is_no_figure() -> None:
    nobody = REQUESTS.assign(tenant=pd.Categorical([None] * 5))
    for figure in (jain_served_share, jain_output_tokens, jain_latency, least_served_share):
        assert np.isnan(figure(nobody))
