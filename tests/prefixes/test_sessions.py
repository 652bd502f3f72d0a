"""Conversations: made up, or read from a file; and when their turns arrive."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scenarios.arrivals.batches import Sessions
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders.exchangeable import shuffled
from scenarios.workloads.sessions import sessions
from scenarios.workloads.table import table
from scenarios.workloads.trace import PricedModel, trace
from sim.cli.main import main
from sim.instance import realise
from sim.scenario import Scenario
from sim.workload.prefixes import Prefixes
from sim.world.services.slots import Instant

MADE = sessions(n_queries=3000, n_history=20, n_models=2, mean_turns=4.0, system_tokens=200, block_tokens=64, dim=4)
MODELS = [PricedModel("m", 0.5, 1.0, 1.0)]


def test_a_prompt_is_the_prompt_and_the_answer_before_and_a_message() -> None:
    test = MADE.test
    assert test.session is not None
    assert test.output_tokens is not None
    same = np.diff(test.session) == 0
    grown = np.diff(test.input_tokens)[same] - test.output_tokens[:-1, 0][same]
    assert (grown >= 1).all()
    assert grown.mean() == pytest.approx(150, rel=0.1)
    first = test.input_tokens[1:][~same] - 200
    assert first.mean() == pytest.approx(150, rel=0.15)
    assert test.output_tokens.mean() == pytest.approx(250, rel=0.1)
    assert np.mean(list(Counter(test.session.tolist()).values())) == pytest.approx(4.0, rel=0.1)


def test_blocks_are_whole_those_of_a_session_grow_and_those_of_a_system_prompt_are_shared() -> None:
    test = MADE.test
    assert test.prefix is not None
    assert test.session is not None
    rows, of = test.prefix.rows(), test.session.tolist()
    assert test.prefix.sizes.tolist() == (test.input_tokens // 64).tolist()
    owner: dict[int, set[int]] = {}
    for session, blocks in zip(of, rows, strict=True):
        for block in blocks:
            owner.setdefault(block, set()).add(session)
    shared = {block for block, sessions_ in owner.items() if len(sessions_) > 1}
    assert shared == set(range(4 * 3))  # four system prompts of 200 tokens have three whole blocks of 64 each
    for k in range(1, len(rows)):
        if of[k] == of[k - 1]:
            assert rows[k][: len(rows[k - 1])] == rows[k - 1]


def test_turns_of_a_session_arrive_in_their_order_with_its_gaps_whatever_the_order_says() -> None:
    arrivals = Sessions(rate_per_s=2.0, mean_turns=99.0, mean_gap_s=10.0)
    scenario = Scenario(MADE, OnePerModel(Instant()), Unlimited(), arrivals, shuffled)
    instance = realise(scenario, 0, 0)
    assert MADE.test.session is not None
    session, times_s = MADE.test.session[instance.rows], np.cumsum(instance.gaps_s)
    gaps_s = []
    for number in range(session.max() + 1):
        mine = session == number
        assert (np.diff(instance.rows[mine]) == 1).all()
        gaps_s += np.diff(times_s[mine]).tolist()
    assert np.mean(gaps_s) == pytest.approx(10.0, rel=0.1)
    first = instance.rows[np.unique(session, return_index=True)[1]]
    n_sessions = session.max() + 1
    begins_s = np.sort(times_s[np.unique(session, return_index=True)[1]])
    assert begins_s[-1] / n_sessions == pytest.approx(0.5, rel=0.1)
    assert not (np.diff(first[np.argsort(times_s[np.unique(session, return_index=True)[1]])]) > 0).all()  # shuffled


def test_blocks_may_be_taken_like_an_array() -> None:
    taken = Prefixes.of([[1, 2], [], [3]])[np.array([2, 0, 0, 1])]
    assert taken.rows() == [(3,), (1, 2), (1, 2), ()]


def write(path: Path, **columns: Any) -> str:
    rows = pd.DataFrame({"input_tokens": [1500, 600, 1500], **columns}, dtype=object)
    if path.suffix == ".parquet":
        rows.infer_objects().to_parquet(path)
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in rows.to_dict("records")))
    return str(path)


BLOCKS = [[0, 1, 2], [0, 4], []]


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_a_trace_may_have_blocks_and_sessions(ending: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"t.{ending}", output_tokens=[5, 6, 7], prefix_blocks=BLOCKS, session=["x", None, "x"])
    read = trace(path, MODELS, n_history=5, dim=2).test
    assert read.prefix is not None
    assert read.session is not None
    assert read.prefix.rows() == [(0, 1, 2), (0, 4), ()]
    assert read.prefix.block_tokens == 512
    assert read.session[0] == read.session[2] != read.session[1]
    again = trace(path, MODELS, n_queries=5, n_history=5, dim=2, loop=True).test
    assert again.prefix is not None
    assert again.session is not None
    assert again.prefix.rows()[3:] == [(5, 6, 7), (5, 9)]  # of another round, so no prompt comes again
    assert len(set(again.session.tolist())) == 4


def test_a_table_may_have_blocks_and_sessions(tmp_path: Path) -> None:
    scores = {"m": [1.0, 0.0, 1.0], "m|total_cost": [1.0, 1.0, 1.0], "split": ["test", "test", "history"]}
    scores["m|output_tokens"] = [5, 6, 7]
    path = write(tmp_path / "t.parquet", prefix_blocks=BLOCKS, session=[7, 7, 8], **scores)
    read = table(path)
    assert read.test.prefix is not None
    assert read.test.session is not None
    assert read.test.prefix.rows() == [(0, 1, 2), (0, 4)]
    assert read.test.session.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([[0], "1 2", [3]], "'prefix_blocks' is '1 2' in row 1 of the table; it must be a list of whole numbers"),
        ([[0], [1.5], [3]], "'prefix_blocks' is .*1.5.* in row 1 of the table; it must be a list of whole numbers"),
        ([[0], [-1], [3]], "'prefix_blocks' is .*-1.* in row 1 of the table; it must be a list of whole numbers"),
        ([[0], [1, 2, 3], [3]], "there are 3 prefix blocks of 512 tokens in row 1 .*it must have at most 2"),
    ],
)
def test_a_cell_that_is_no_list_of_blocks_is_refused(blocks: list[object], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        trace(write(tmp_path / "t.jsonl", output_tokens=[5, 6, 7], prefix_blocks=blocks), MODELS)


SMALL = ["workload=sessions", "workload.n_queries=60", "workload.n_history=30", "workload.dim=4"]


def test_the_command_serves_conversations_where_prefixes_are_kept(tmp_path: Path) -> None:
    words = ["fleet=batching", "fleet.prefix_cache_tokens=inf", "policy=[prefix_affinity,prefix_then_load,random]"]
    assert main(["compare", *SMALL, *words, "metric=prefix", f"out={tmp_path / 'out'}", "--no-report"]) == 0
    rates = pd.read_csv(tmp_path / "out" / "summary.csv").groupby("policy")["prefix_hit_rate"].mean()
    assert rates["prefix_affinity"] > rates["random"]
    assert rates["prefix_then_load"] > rates["random"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["workload.n_queries=50", "fleet=batching", "fleet.prefix_cache_tokens=5000"],
            "is 5000, and the workload has no prefix blocks: use null, workload=sessions, or a table or trace",
        ),
        (
            ["workload=agent_tasks", "fleet=batching", "fleet.prefix_cache_tokens=5000"],
            "is 5000, and queries are steps of tasks, whose workload says itself what is held (cached_tokens)",
        ),
        ([*SMALL, "fleet=batching", "fleet.prefix_cache_tokens=0"], "is 0; it must be at least 1, inf for any number"),
        ([*SMALL, "workload.mean_turns=0.5"], "workload.mean_turns is 0.5; it must be from 1 to 10000"),
        ([*SMALL, "workload.n_models=12"], "workload.n_models is 12; it must be from 1 to 11"),
        (
            [*SMALL, "fleet=batching", "fleet.service.prefill_per_token_s=0", "fleet.prefix_cache_tokens=5000"],
            "it would save nothing, as the service takes no time for input tokens",
        ),
    ],
)
def test_bad_words_are_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *words, f"out={tmp_path / 'out'}", "--no-report"]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_an_export_has_the_sessions_and_blocks_of_every_query(tmp_path: Path) -> None:
    assert main(["export", *SMALL, "policy=random", f"out={tmp_path / 'out'}", "--no-report"]) == 0
    queries = pd.read_parquet(tmp_path / "out" / "queries.parquet").query("replication == 0")
    made = sessions(n_queries=60, n_history=30, dim=4).test
    assert made.prefix is not None
    assert made.session is not None
    of_rows, rows = made.prefix.rows(), queries["test_row"].tolist()
    assert [tuple(blocks) for blocks in queries["prefix_blocks"]] == [of_rows[row] for row in rows]
    assert queries["session"].tolist() == made.session[rows].tolist()
    assert pd.read_parquet(tmp_path / "out" / "history.parquet")["prefix_blocks"].isna().all()
