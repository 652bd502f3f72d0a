"""Which query arrives at which place: every order of conf/order, on worlds that can be checked by hand."""

import functools
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.arrivals import Poisson
from scenarios.budgets import Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.orders.adversarial import AdversarialPrefix, WeightedSum, WeightedSums
from scenarios.orders.exchangeable import Resampled
from scenarios.orders.ranked import (
    cheap_first,
    costly_first,
    density_down,
    density_up,
    easy_first,
    hard_first,
)
from scenarios.orders.recorded import Saved
from scenarios.orders.topics import Drift, LateTopic, topic_blocks
from scenarios.workloads.synthetic import synthetic
from sim.cli.main import main
from sim.instance import realise
from sim.scenario import Order, Scenario
from sim.study.experiment import compare
from sim.study.oracles import Oracle
from sim.study.ratio.worst_order import WorstOrder, find_worst
from sim.workload import Rows
from sim.world.services.slots import Instant
from tests.configured import configured_policy
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload

CONFIGURED = sorted(path.stem for path in (Path(__file__).resolve().parents[2] / "conf" / "order").glob("*.yaml"))
SMALL = ["workload.n_queries=120", "workload.n_history=80", "workload.n_models=3", "workload.dim=8"]


def four() -> Rows:
    """Four queries for two models, by rising least cost 2, 3, 1, 0 and by rising mean quality 3, 2, 0, 1.

    Quality per dollar is 0.4 / 2 = 0.2, 1 / 4 = 0.25, 0.3 / 0.5 = 0.6 and 0.1 / 0.5 = 0.2 at the better model.
    """
    cost_usd = [[2.0, 5], [1.5, 4], [0.5, 1], [0.5, 1]]
    rows = tiny_rows([[0.4, 0.4], [0.0, 1.0], [0.3, 0.2], [0.1, 0.0]], cost_usd)
    return replace(rows, source=np.array(["law", "maths", "maths", "law"]))


def many(n: int = 1000) -> Rows:
    """Queries that cost 1, 2, 3, ... at one model; every fifth is about law, the others in turn about four things."""
    rows = tiny_rows(np.ones((n, 1)), np.arange(1.0, n + 1)[:, None])
    return replace(rows, source=np.resize(["law", "art", "maths", "music", "trade"], n))


def drawn(order: Order, rows: Rows, seed: int = 0) -> list[int]:
    """The row numbers in order of arrival."""
    return [int(number) for number in order(rows, np.random.default_rng(seed))]


@functools.cache
def configured(name: str) -> Order:
    """The order of conf/order/NAME.yaml; what it needs is there, but for a file."""
    with initialize_config_module("conf", version_base="1.3"):
        needs = ["order.late_topic.topic=law"] if name == "late_topic" else []
        config = compose("run", [f"order={name}", *needs])
    order: Order = instantiate(config.order[name], _convert_="all")
    return order


# --- sorted by cost, quality and both


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (cheap_first, {(2, 3, 1, 0), (3, 2, 1, 0)}),  # rows 2 and 3 both cost 0.5 at least
        (costly_first, {(0, 1, 2, 3), (0, 1, 3, 2)}),
        (easy_first, {(1, 0, 2, 3)}),
        (hard_first, {(3, 2, 0, 1)}),
        (density_up, {(0, 3, 1, 2), (3, 0, 1, 2)}),
        (density_down, {(2, 1, 0, 3), (2, 1, 3, 0)}),
    ],
)
def test_a_sorted_order_breaks_ties_at_random(order: Order, expected: set[tuple[int, ...]]) -> None:
    assert {tuple(drawn(order, four(), seed)) for seed in range(20)} == expected


def test_density_needs_a_cost_at_every_model() -> None:
    rows = replace(four(), cost_usd=np.array([[0.0, 1], [1, 1], [1, 0], [1, 1]]))
    for order in (density_up, density_down, AdversarialPrefix(0.5)):
        with pytest.raises(ValueError, match=r"2 of 4 queries cost nothing at some model, so .* order=cheap_first"):
            drawn(order, rows)


# --- with replacement


def test_draws_with_replacement_come_as_drawn_and_twice_at_times() -> None:
    rows = realise(replace(tiny_scenario(tiny_workload(four())), order=Resampled(), n_queries=400), 0, 0).rows
    assert np.bincount(rows, minlength=4) / 400 == pytest.approx(0.25, abs=0.1)  # standard error 0.022
    assert np.mean(rows[1:] == rows[:-1]) == pytest.approx(0.25, abs=0.1)  # neighbours are independent


# --- by topic


def test_topics_come_one_after_another_in_random_order_and_their_queries_too() -> None:
    expected = {(*a, *b) for first, second in (((0, 3), (1, 2)), ((1, 2), (0, 3)))
                for a in itertools.permutations(first) for b in itertools.permutations(second)}  # fmt: skip
    assert {tuple(drawn(topic_blocks, four(), seed)) for seed in range(100)} == expected


def test_a_drift_shifts_the_share_of_a_group_linearly() -> None:
    rows = many()
    for late, strength, first, last in (
        (["law"], 1.0, 0.0, 0.4),  # a share of 0.2, so 0.2 more or less at the ends
        (["law", "art", "maths", "music"], 1.0, 0.6, 1.0),
        (["law", "art"], 0.5, 0.2, 0.6),
        (["law"], 0.0, 0.2, 0.2),
    ):
        assert rows.source is not None
        places = [rows.source[drawn(Drift(late, strength), rows, seed)] for seed in range(40)]
        share = np.isin(places, late).mean(axis=0)  # at each of the 1,000 places
        line = first + (last - first) * (np.arange(1000) + 0.5) / 1000
        tenths = (share - line).reshape(10, 100).mean(axis=1)
        assert tenths == pytest.approx(0, abs=0.035)  # standard error at most 0.5 / sqrt(4,000) = 0.008


def test_without_names_a_drift_goes_from_half_the_topics_to_the_others_another_half_in_each_replication() -> None:
    rows = many()
    assert rows.source is not None
    rare_at_the_end = set()
    for seed in range(10):
        counts = {
            topic: int((rows.source[drawn(Drift(), rows, seed)[800:]] == topic).sum()) for topic in set(rows.source)
        }
        late = sorted(counts, key=lambda topic: -counts[topic])[:2]
        assert sum(counts[topic] for topic in late) > 120  # 0.4 + 0.4 x 0.8 of 200 on average, 144
        rare_at_the_end.add(tuple(late))
    assert len(rare_at_the_end) > 3


def test_a_late_topic_comes_after_half_of_the_others_and_anywhere_from_there() -> None:
    rows = many(50)  # ten about law, at 0, 5, 10, ...
    places = np.array([np.flatnonzero(np.array(drawn(LateTopic("law"), rows, seed)) % 5 == 0) for seed in range(400)])
    assert places.min() == 20
    assert places.max() == 49
    assert places.mean() == pytest.approx((20 + 49) / 2, abs=0.6)  # standard error 0.12
    only_last = drawn(LateTopic("law", after=1.0), rows)
    assert sorted(only_last[40:]) == list(range(0, 50, 5))


def test_the_history_does_not_have_a_late_topic() -> None:
    instance = realise(replace(tiny_scenario(tiny_workload(four())), order=LateTopic("law")), 0, 0)
    assert instance.setting.history.cost[:, 0].tolist() == [1.5, 0.5]
    assert sorted(instance.rows.tolist()) == [0, 1, 2, 3]


def test_orders_by_topic_refuse_what_has_none_or_another() -> None:
    nameless = replace(four(), source=None)
    for order in (topic_blocks, Drift(), LateTopic("law")):
        with pytest.raises(ValueError, match="goes by topic, and the workload has no topics: add the column 'source'"):
            drawn(order, nameless)
    with pytest.raises(ValueError, match="unknown topic 'laws'; did you mean 'law'"):
        drawn(LateTopic("laws"), four())
    with pytest.raises(ValueError, match="unknown topic 'laws'; did you mean 'law'"):
        drawn(Drift(["laws"]), four())
    with pytest.raises(ValueError, match="late names 2 of 2 topics; name some of them, and not all"):
        drawn(Drift(["law", "maths"]), four())
    with pytest.raises(ValueError, match="only the topic 'law' arrives; order=drift needs two or more"):
        drawn(Drift(), four().take(np.array([0, 3])))
    with pytest.raises(ValueError, match=r"strength is 1\.5; it must be from 0 to 1"):
        Drift(strength=1.5)
    with pytest.raises(ValueError, match="after is -1; it must be from 0 to 1"):
        LateTopic("law", after=-1)


# --- a misleading prefix


def test_the_densest_queries_or_the_least_dense_come_first_and_both_parts_are_random() -> None:
    rows = many(100)  # the first is the densest
    first, other = drawn(AdversarialPrefix(0.1), rows), drawn(AdversarialPrefix(0.1), rows, seed=1)
    assert sorted(first[:10]) == sorted(other[:10]) == list(range(10))
    assert first[:10] != other[:10]
    assert first[10:] != other[10:]
    assert sorted(drawn(AdversarialPrefix(0.1, densest=False), rows)[:10]) == list(range(90, 100))
    with pytest.raises(ValueError, match="share is 0; it must be above 0 and below 1"):
        AdversarialPrefix(0)


# --- every order


@pytest.mark.parametrize("name", sorted(set(CONFIGURED) - {"saved", "worst_of", "resampled", "blocks"}))
@settings(max_examples=20, derandomize=True)
@given(n_queries=st.integers(30, 80), seed=st.integers(0, 2**32))
def test_an_order_is_a_permutation_and_the_same_for_the_same_seed(name: str, n_queries: int, seed: int) -> None:
    order, rows = configured(name), many(n_queries)
    once = drawn(order, rows, seed)
    assert sorted(once) == list(range(n_queries))
    assert once == drawn(order, rows, seed)


@pytest.mark.parametrize("name", sorted(set(CONFIGURED) - {"saved", "worst_of"}))
def test_arrival_times_do_not_depend_on_the_order(name: str) -> None:
    base = replace(tiny_scenario(tiny_workload(many(50))), arrivals=Poisson(1.0), n_queries=40)
    gaps_s = realise(base, 3, 1).gaps_s
    assert realise(replace(base, order=configured(name)), 3, 1).gaps_s.tolist() == gaps_s.tolist()


# --- a saved order


def saved(folder: Path, table: pd.DataFrame) -> Saved:
    """The order in a file with this table."""
    table.to_csv(folder / "order.csv", index=False)
    return Saved(str(folder / "order.csv"))


def test_a_saved_order_says_which_rows_arrive_and_when(tmp_path: Path) -> None:
    order = saved(tmp_path, pd.DataFrame({"row": [3, 0, 2]}))
    scenario = replace(tiny_scenario(tiny_workload(four())), order=order)
    assert [realise(scenario, 0, replication).rows.tolist() for replication in range(2)] == [[3, 0, 2]] * 2
    assert order.files == (tmp_path / "order.csv",)


def test_a_saved_order_may_differ_between_replications(tmp_path: Path) -> None:
    order = saved(tmp_path, pd.DataFrame({"replication": [0, 0, 1, 1], "row": [3, 0, 1, 2]}))
    scenario = replace(tiny_scenario(tiny_workload(four())), order=order, n_queries=2)
    assert [realise(scenario, 0, replication).rows.tolist() for replication in range(2)] == [[3, 0], [1, 2]]
    with pytest.raises(ValueError, match=r"order\.csv has no replication 2; it has the orders of 2 replications"):
        realise(scenario, 0, 2)
    with pytest.raises(ValueError, match="n_queries is 3, and the order has 2 queries; leave n_queries out"):
        realise(replace(scenario, n_queries=3), 0, 0)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"rows": [0]}), "unknown column 'row'; did you mean 'rows'"),
        (pd.DataFrame({"row": []}), "has no lines; an order needs at least one"),
        (pd.DataFrame({"row": [0, -1]}), r"'row' is -1.0 in row 1 of the table; it must be a whole number of at least"),
        (pd.DataFrame({"row": [2, 0, 2]}), "row 2 comes 2 times in replication 0 of .*at most once"),
        (pd.DataFrame({"row": [0, 4]}), "the order has row 4, and the workload has 4 test queries, from row 0 on"),
    ],
)
def test_a_file_that_is_no_order_is_refused(table: pd.DataFrame, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        realise(replace(tiny_scenario(tiny_workload(four())), order=saved(tmp_path, table)), 0, 0)


# --- the worst order


def test_no_weight_is_a_random_order_and_one_weight_a_sorted_one() -> None:
    rng = np.random.default_rng(0)
    rows = tiny_rows(rng.integers(0, 5, (200, 3)) / 4, rng.integers(1, 9, (200, 3)))  # with many ties
    assert drawn(WeightedSum({"log_cost": 0.0}), rows) == drawn(shuffled, rows)
    for weights, order in (
        ({"log_cost": 1.0}, cheap_first),
        ({"log_cost": -1.0, "noise": 0.0}, costly_first),
        ({"quality": -1.0}, easy_first),
        ({"quality": 0.5}, hard_first),
        ({"log_density": 1.0}, density_up),
        ({"log_density": -1.0}, density_down),
    ):
        assert drawn(WeightedSum(weights), rows) == drawn(order, rows)
    last = drawn(WeightedSum({"topic=law": 1.0}), many(50))[40:]
    assert sorted(last) == list(range(0, 50, 5))


def test_the_family_has_the_features_that_the_rows_have() -> None:
    assert WeightedSums(n_topics=1).names(four()) == ("log_cost", "quality", "log_density", "topic=law", "noise")
    free = replace(four(), source=None, cost_usd=np.array([[0.0, 1], [1, 1], [1, 0], [1, 1]]))
    assert WeightedSums().names(free) == ("log_cost", "quality", "noise")
    assert sorted(drawn(WeightedSum({"log_cost": 1.0}), free)[:2]) == [0, 2]  # what is free comes first


def port_world() -> Scenario:
    """Three hundred queries for four models, with weighted budgets."""
    workload = synthetic(n_queries=300, n_history=100, n_models=4, dim=4)
    return Scenario(workload, OnePerModel(Instant()), Weighted(), Poisson(1.0), shuffled)


@pytest.mark.slow
def test_the_worst_order_is_at_least_as_bad_as_random_and_as_every_sorted_order_of_its_family() -> None:
    scenario, policy = port_world(), configured_policy("port_exact")
    search = WorstOrder(WeightedSums(n_topics=2), evaluations=40, replications=2)
    tried: list[str] = []
    found = find_worst(scenario, "port_exact", policy, search, 5, tried.append)

    def ratio(order: Order) -> float:
        """As the summary of a comparison has it."""
        changed, oracle = replace(scenario, order=order), Oracle(("optimum",))
        summary = compare(changed, {"port_exact": policy}, seed=5, replications=2, oracle=oracle)
        return float(summary.loc[summary["policy"] == "port_exact", "optimum_ratio"].mean())

    assert len(tried) == found.evaluations == 40
    assert found.ratio == ratio(found.order)
    assert found.random_ratio == ratio(shuffled)
    for order in (shuffled, cheap_first, costly_first, easy_first, hard_first, density_up, density_down):
        assert found.ratio <= ratio(order)
    assert found.ratio < 0.8 * found.random_ratio
    assert find_worst(scenario, "port_exact", policy, search, 5) == found


def test_a_search_that_cannot_be_is_refused() -> None:
    policy = configured_policy("port_exact")

    def search(scenario: Scenario, evaluations: int = 11) -> None:
        find_worst(scenario, "port_exact", policy, WorstOrder(WeightedSums(1), evaluations=evaluations), 0)

    with pytest.raises(ValueError, match="evaluations is 10, and the family has 5 weights; it must be at least 11"):
        search(port_world(), evaluations=10)
    with pytest.raises(ValueError, match="order=worst_of needs the hindsight optimum, and there is none, as"):
        search(replace(port_world(), reserve="estimate"))
    with pytest.raises(ValueError, match="the hindsight optimum is 0, so no order is worse than another"):
        search(replace(port_world(), budget=Weighted(total=0.0)))
    with pytest.raises(ValueError, match="replications is 0; it must be at least 1"):
        WorstOrder(WeightedSums(), replications=0)
    with pytest.raises(ValueError, match="order=worst_of is a search, which nobody has carried out here"):
        realise(replace(port_world(), order=WorstOrder(WeightedSums())), 0, 0)


def test_the_worst_order_is_written_and_replays_to_the_bit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    same = [*SMALL, "policy=[random,port_exact]", "replications=2", "oracle.names=[optimum]", "n_queries=100"]
    search = ["order=worst_of", "order.worst_of.policy=port_exact", "order.worst_of.evaluations=30"]
    assert main(["compare", *same, *search, f"out={tmp_path / 'found'}", "--no-report"]) == 0
    printed = capfd.readouterr().out
    found = json.loads((tmp_path / "found" / "worst_order.json").read_text())
    assert found["policy"] == "port_exact"
    assert found["ratio"] < found["random_ratio"]
    assert f"worst order for port_exact: ratio {found['ratio']:.3f}, in random order" in printed
    summary = pd.read_csv(tmp_path / "found" / "summary.csv")
    first = summary[(summary["policy"] == "port_exact") & (summary["replication"] == 0)]
    assert first["optimum_ratio"].tolist() == pytest.approx([found["ratio"]], rel=1e-12)

    file = tmp_path / "found" / "worst_order.csv"
    assert (
        main(["compare", *same, "order=saved", f"order.saved.file={file}", f"out={tmp_path / 'again'}", "--no-report"])
        == 0
    )
    requests = [(tmp_path / name / "requests.parquet").read_bytes() for name in ("found", "again")]
    assert requests[0] == requests[1]
    assert list(json.loads((tmp_path / "again" / "manifest.json").read_text())["files"]) == [str(file)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["order=late_topic"], "order.late_topic.topic has no value; give order.late_topic.topic=VALUE"),
        (["order=saved"], "order.saved.file has no value; give order.saved.file=VALUE"),
        (["order=saved", "order.saved.file=none.csv"], "there is no file none.csv"),
        (["order=worst_of", "order.worst_of.policy=prt"], "unknown policy 'prt'; did you mean 'port'?"),
        (["order=worst_of", "seed=-1"], "seed is -1; it must be at least 0"),
    ],
)
def test_a_mistake_gets_one_clear_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *SMALL, *words, f"out={tmp_path / 'o'}", "--no-report"]) == 1
    errors = capsys.readouterr().err
    assert message in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("name", sorted(set(CONFIGURED) - {"saved", "worst_of", "late_topic"}))
def test_run_takes_every_order_by_its_name(name: str, tmp_path: Path) -> None:
    assert main(["run", *SMALL, "policy=random", f"order={name}", f"out={tmp_path / 'o'}", "--no-report"]) == 0
