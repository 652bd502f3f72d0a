"""How tasks are shared among processes, here among threads; and where a study is large enough for several."""

import threading
import time
from collections.abc import Iterator

import pytest
from omegaconf import OmegaConf

from sim.cli.working.messages import Done, packed, unpacked
from sim.cli.working.team import Batch
from sim.cli.working.worth import Amount, cores, processes


def squares(number: int) -> Iterator[int]:
    """Twice the square of a number, but of 3, which fails."""
    if number == 3:
        raise ValueError("3 cannot be squared")
    yield number**2
    yield number**2


def helped(batch: Batch, pause_s: float = 0.0) -> threading.Thread:
    """A thread that carries out what it is given, as a process would."""

    def take_part() -> None:
        while (number := batch.take()) is not None:
            time.sleep(pause_s)
            batch.put(number, Done(list(batch.work(batch.tasks[number])), (f"did {number}",)))

    thread = threading.Thread(target=take_part)
    thread.start()
    return thread


@pytest.mark.filterwarnings("ignore:did")
@pytest.mark.parametrize("pause_s", [0.0, 0.02])
def test_results_come_in_the_order_of_the_tasks_whoever_is_faster(pause_s: float) -> None:
    batch = Batch(squares, [10, 20, 30, 40, 50, 60, 70], ahead=4)
    thread = helped(batch, pause_s)
    assert list(batch.results()) == [100, 100, 400, 400, 900, 900, 1600, 1600, 2500, 2500, 3600, 3600, 4900, 4900]
    thread.join()


@pytest.mark.filterwarnings("ignore:did")
def test_an_error_is_raised_when_it_is_its_turn_and_not_before() -> None:
    batch = Batch(squares, [1, 2, 3, 4], ahead=4)
    found: list[int] = []
    with pytest.raises(ValueError, match="3 cannot be squared"):
        found.extend(batch.results())
    batch = Batch(squares, [1, 2, 3, 4], ahead=4)
    taken = [batch.take(), batch.take()]  # by others, so that here the third is begun before its turn
    assert taken == [0, 1]
    results = batch.results()
    for number in taken:
        assert number is not None
        threading.Timer(0.05, batch.put, (number, Done([number]))).start()
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="3 cannot be squared"):
        next(results)


def test_nobody_begins_more_tasks_than_results_may_wait() -> None:
    batch = Batch(squares, list(range(10, 20)), ahead=2)
    assert [batch.take(), batch.take()] == [0, 1]
    late = helped(batch)
    late.join(timeout=0.05)
    assert late.is_alive()  # as the first result is not there
    batch.stop()
    late.join(timeout=5)
    assert not late.is_alive()


def test_a_task_that_cannot_travel_is_carried_out_here() -> None:
    batch = Batch(squares, [1, 2], ahead=4)
    number = batch.take()
    assert number == 0
    batch.refuse(number)
    assert list(batch.results()) == [1, 1, 4, 4]


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
