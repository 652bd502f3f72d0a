"""Policies that cap answers, and what studies say of them: bounds, figures, files, notes, the check of a policy."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from policies.estimators.neighbours import ExactNeighbours
from policies.greedy.capped import CappedGreedy
from sim.cli.main import main
from sim.interface import Decision, Policy
from sim.study.experiment import runs
from sim.study.explain.explanation import explanations
from sim.study.metrics.caps import capped_share, cut_share, mean_cap_tokens
from sim.study.oracles import BoundCache, EstimateCache, Oracle
from sim.study.ratio.ratios import ratios
from sim.study.ratio.worst_order import optimum_ratio
from sim.study.sequential import Precision
from tests.calls.test_abilities import BLOCKS
from tests.caps.capped import run, world
from tests.scripted import Scripted
from tests.worlds import idle, tiny_query

SMALL = ["workload.n_queries=40", "workload.n_history=30", "workload.n_models=3", "workload.dim=4"]
NEAREST = ExactNeighbours(k=1)


# --- policies


@pytest.mark.parametrize(
    ("weight", "choice"),
    [
        (0.0, Decision(1)),  # the whole answer of b is worth 1.0
        (0.5, Decision(0)),  # 0.8 - 0.5 x 1.1 = 0.25 of a; the best of the others is 0.4 - 0.5 x 0.6 = 0.1
        (0.9, Decision(1, max_output_tokens=20)),  # 0.4 - 0.9 x 0.6 = -0.14 of b; -0.17 of a at 20, -0.19 of it whole
        (2.0, Decision(0, max_output_tokens=20)),  # 0.1 - 2.0 x 0.3, the cheapest of all
    ],
)
def test_the_shipped_rule_takes_the_best_of_quality_less_priced_cost(weight: float, choice: Decision) -> None:
    policy = CappedGreedy(NEAREST, cost_weight=weight)
    policy.reset(world(2).setting, np.random.default_rng(0))
    assert policy.decide(tiny_query(0, [0.8, 1.0], [1.1, 2.2]), idle(2)) == choice


def test_the_shipped_rule_chooses_among_whole_answers_where_they_cannot_be_cut() -> None:
    policy = CappedGreedy(NEAREST, cost_weight=0.9)
    setting = world(2).setting
    policy.reset(replace(setting, history=setting.history.at_cap(0)), np.random.default_rng(0))
    assert policy.decide(tiny_query(0, [0.8, 1.0], [1.1, 2.2]), idle(2)) == Decision(0)


def test_a_weight_below_0_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^cost_weight is -1; it must be at least 0$"):
        CappedGreedy(NEAREST, cost_weight=-1)


def test_the_rule_of_the_page_has_a_regressor_for_every_model_and_cap() -> None:
    (block,) = [block for block in BLOCKS if "class CapsByQuery" in block]
    namespace: dict[str, type[Policy]] = {}
    exec(compile(block, "docs/abilities.md", "exec"), namespace)
    for weight, cap, deployment in ((0.0, None, "b"), (0.9, 20, "b"), (2.0, 20, "a")):
        requests, _ = run(namespace["CapsByQuery"](NEAREST, weight), world(2))  # type: ignore[call-arg]
        assert requests["deployment"].tolist() == [deployment] * 2
        assert requests["max_output_tokens"].dropna().unique().tolist() == ([] if cap is None else [cap])


# --- bounds and figures


def test_the_optimum_of_whole_answers_bounds_no_policy_that_caps() -> None:
    scenario, policies = world(2).scenario, {"caps": Scripted([Decision(0, max_output_tokens=20)] * 2)}
    *_, done = runs(scenario, policies, 0, 1, Oracle(("optimum",)), {})
    assert np.isnan(done.summary["optimum_ratio"])
    message = "'caps' caps answers, so the optimum of whole single answers does not bound it"
    with pytest.raises(ValueError, match=message):
        ratios({"given": scenario}, policies, [None], precision=Precision(2, 2, half_width=0.1), seed=0)
    with pytest.raises(ValueError, match=message):
        list(explanations(scenario, policies, 0, 1, 1))
    with pytest.raises(ValueError, match="it bounds nothing, as caps caps answers"):
        optimum_ratio(scenario, "caps", policies["caps"], (0, 0), EstimateCache(), BoundCache())


def test_a_policy_that_asks_for_whole_answers_of_such_a_workload_has_its_ratio() -> None:
    *_, done = runs(world(2).scenario, {"whole": Scripted([0, 1])}, 0, 1, Oracle(("optimum",)), {})
    assert done.summary["optimum_ratio"] == pytest.approx(1.8 / 2.0)


def test_metrics_count_caps_and_answers_that_reached_them() -> None:
    script = [Decision(0, max_output_tokens=20), Decision(0, max_output_tokens=200), Decision(0), Decision(None)]
    requests, _ = run(Scripted(script), world(4))
    assert capped_share(requests) == pytest.approx(2 / 3)
    assert cut_share(requests) == pytest.approx(1 / 3)
    assert mean_cap_tokens(requests) == 110.0
    whole, _ = run(Scripted([0]), world(1))
    assert (capped_share(whole), cut_share(whole)) == (0.0, 0.0)
    assert np.isnan(mean_cap_tokens(whole))


# --- the command line


def test_a_comparison_writes_caps_and_their_metrics(tmp_path: Path) -> None:
    words = ["policy=[random,capped_greedy]", "workload.cap_curve=3", "metric=caps", "budget=unlimited"]
    assert main(["compare", *SMALL, *words, "replications=1", f"out={tmp_path / 'o'}", "--no-report"]) == 0
    requests = pd.read_parquet(tmp_path / "o" / "requests.parquet")
    caps = requests.groupby("policy", observed=True)["max_output_tokens"].count()
    assert caps["random"] == 0
    assert caps["capped_greedy"] > 0
    summary = pd.read_csv(tmp_path / "o" / "summary.csv").set_index("policy")
    assert summary.loc["capped_greedy", "capped_share"] == caps["capped_greedy"] / 40
    assert summary["optimum_ratio"].isna().tolist()[-2:] == [False, True]


def test_an_export_has_quality_and_cost_by_cap(tmp_path: Path) -> None:
    words = ["workload.cap_curve=3", "budget.unit=tokens", "policy=capped_greedy", f"out={tmp_path / 'o'}"]
    assert main(["export", *SMALL, *words]) == 0
    caps = json.loads((tmp_path / "o" / "instance.json").read_text())["caps"]
    assert (caps[0], len(caps)) == (10, 15)
    truth = pd.read_parquet(tmp_path / "o" / "truth.parquet")
    queries = pd.read_parquet(tmp_path / "o" / "queries.parquet").set_index("id")
    inputs = queries.loc[truth["id"], "input_tokens"].to_numpy()
    costs = np.array(truth["cost_by_cap"].tolist())
    np.testing.assert_array_equal(costs[:, 4], inputs + np.minimum(caps[4], truth["output_tokens"]))
    assert (np.diff(np.array(truth["quality_by_cap"].tolist()), axis=1) >= 0).all()
    history = pd.read_parquet(tmp_path / "o" / "history_truth.parquet")
    assert len(history["cost_by_cap"][0]) == 15


def test_a_curve_that_nobody_uses_is_said_to_do_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *SMALL, "workload.cap_curve=3", "policy=random", "out=null"]) == 0
    said = "switchyard: note: workload.cap_curve=3 does nothing, as random cap no answer"
    assert said in capsys.readouterr().err


@pytest.mark.lengthy
def test_a_policy_that_caps_where_it_cannot_is_told_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "short.py").write_text(
        "from sim.interface import Decision, Policy\n\n\nclass Short(Policy):\n"
        "    def decide(self, query, state):\n        return Decision(0, max_output_tokens=20)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["run", *SMALL, "policy=./short.py:Short", "out=o", "--no-report"]) == 1
    said = capsys.readouterr().err
    assert "policy 'short' caps query 0 at 20 output tokens, and the workload has no quality by cap" in said
    assert not (tmp_path / "o").exists()
    assert main(["run", *SMALL, "policy=./short.py:Short", "workload.cap_curve=3", "out=o", "--no-report"]) == 0
    capsys.readouterr()
    assert main(["check", "policy=./short.py:Short"]) == 0
    assert "keeps the contract" in capsys.readouterr().out
