"""What travels between processes, and where a study is large enough for several."""

import pytest
from omegaconf import OmegaConf

from sim.cli.working.messages import packed, unpacked
from sim.cli.working.worth import Amount, cores, processes


def test_what_all_processes_have_is_named_in_a_message_and_not_sent() -> None:
    ours, theirs = list(range(100_000)), ["theirs"]
    message = packed(("task", ours), [ours])
    assert len(message) < 100
    assert unpacked(message, [theirs])[1] is theirs


@pytest.mark.parametrize(
    ("workers", "n_queries", "n_tasks", "expected"),
    [
        (None, 4_000, 3, 1),  # 120,000 decisions
        (None, 4_000, 10, min(cores(), 10)),
        (None, None, 10, 1),  # as long as it is not known
        (None, 1_000_000, 10, 1),  # tables of 10,000,000 rows several times in memory
        (3, 10, 10, 3),
        (8, 10, 5, 5),
        (1, 4_000, 10, 1),
    ],
)
def test_processes_start_where_there_is_enough_to_do_or_where_they_are_asked_for(
    workers: int | None, n_queries: int | None, n_tasks: int, expected: int
) -> None:
    amount = Amount(n_tasks, lambda n: 10 * n, brings_tables=True)
    assert processes(OmegaConf.create({"workers": workers}), n_queries, amount) == expected
