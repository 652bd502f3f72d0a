"""Carries out tasks of a study in other processes, which are started once and end with the study.

Results come in the order of the tasks, so that who did what cannot be seen in them. loky keeps the processes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar

from loky import ProcessPoolExecutor
from loky.process_executor import BrokenProcessPool
from omegaconf import DictConfig, OmegaConf

from sim.cli.building import Settled, by_order
from sim.cli.working.helper import carried_out, get_ready
from sim.cli.working.messages import Begin, Done, packed, shared_by
from sim.cli.working.worth import Amount, processes, queries_named, queries_of
from sim.errors import note
from sim.interface import Policy
from sim.scenario import Scenario
from sim.study.side_by_side import Result, Task

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
Study = TypeVar("Study")
Make = Callable[[DictConfig, Mapping[str, Scenario], Mapping[str, Policy]], Study]
IDLE_S = 600  # after which a process ends that nobody gives anything to do; another is started when it is needed
AHEAD = 2  # tasks that are begun or wait for their turn, per process


class Team:
    """Processes that share a study, each of which makes the study itself, from its configuration.

    They start at once where the configuration says how many queries arrive, and else when the study is shared.

    Parameters
    ----------
    config : DictConfig
        Its ``workers`` says how many processes there are; null for as many as are worth it. With 1 all is done here.
    amount : Amount
        What the study asks for.
    is_alone : bool
        Whether the study has objects of the caller's, which no other process could make.
    meanwhile : callable or None
        What this process does while the others begin.

    Raises
    ------
    ValueError
        If ``workers`` cannot be.
    """

    def __init__(
        self,
        config: DictConfig,
        amount: Amount,
        is_alone: bool = False,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        self._config, self._amount, self._is_alone, self._meanwhile = config, amount, is_alone, meanwhile
        self._pool: ProcessPoolExecutor | None = None
        self._begin = b""
        self._shared: Sequence[object] = ()
        self.workers = 1
        self._start(queries_named(config))

    def __enter__(self) -> Team:
        """Return it; the processes are starting already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the processes, whatever they are at."""
        if self._pool is not None:
            self._pool.shutdown(kill_workers=True)

    def _start(self, n_queries: int | None) -> None:
        number = processes(self._config, n_queries, self._amount)
        if self._pool is not None or self._is_alone or number == 1:
            return
        self.workers = number
        self._pool = ProcessPoolExecutor(
            number, timeout=IDLE_S, initializer=get_ready, initargs=(os.getpid(),), env=ONE_THREAD
        )
        with uninterrupted():
            self._pool.submit(os.getpid)  # the first task starts all of them

    def share_one(self, make: Make[Study], settled: Settled) -> Study:
        """Return the study that ``make`` makes of the one scenario of a configuration, as ``share`` does."""
        scenarios = by_order(self._config, settled.scenario)
        return self.share(make, scenarios, settled.policies, () if settled.worst is None else scenarios)

    def share(
        self,
        make: Make[Study],
        scenarios: Mapping[str, Scenario],
        policies: Mapping[str, Policy],
        searched: Collection[str] = (),
    ) -> Study:
        """Return the study that ``make`` makes; each process makes the same when its first task comes.

        Parameters
        ----------
        make : callable
            A function of a module, of configuration, scenarios by the names of their orders, and policies.
        scenarios : mapping of str to Scenario
            By the names of their orders.
        policies : mapping of str to Policy
            Those of the configuration that are to run.
        searched : collection of str
            The orders that were found by a search, which is not done again.
        """
        study = make(self._config, scenarios, policies)
        self._start(queries_of(next(iter(scenarios.values()))))
        if self._pool is not None:
            plain: dict[str, Any] = OmegaConf.to_container(self._config, resolve=True)  # type: ignore[assignment]
            orders = {name: scenarios[name].order for name in searched}
            self._begin, self._shared = packed(Begin(make, plain, tuple(policies), orders)), shared_by(study, scenarios)
        return study

    def each(self, work: Callable[[Task], Iterable[Result]], tasks: Sequence[Task]) -> Generator[Result, None, None]:
        """Yield what the work, a method of the study, yields for each task, in the order of the tasks.

        Raises
        ------
        Exception
            What a task raised, when it is its turn.
        RuntimeError
            If a process dies.
        """
        if self._pool is None or len(tasks) < 2:
            for task in tasks:
                yield from work(task)
            return
        upcoming = (self._sent(self._pool, work, task) for task in tasks)
        sent = deque(islice(upcoming, AHEAD * self.workers))
        if self._meanwhile is not None:
            self._meanwhile()
            self._meanwhile = None
        while sent:
            yield from sent.popleft()
            sent.extend(islice(upcoming, 1))

    def _sent(
        self, pool: ProcessPoolExecutor, work: Callable[[Task], Iterable[Result]], task: Task
    ) -> Iterable[Result]:
        """Send a task to a process; return its results, which come when they are asked for."""
        try:
            message = packed((work, task), self._shared)
        except Exception:  # whatever classes of a user's own raise: it cannot travel, and is carried out here
            return work(task)
        try:
            return given(pool.submit(carried_out, self._begin, message).result)
        except BrokenProcessPool as error:
            raise died(error) from error


def given(result: Callable[[], Done]) -> Iterator[Any]:
    """Yield the results of a task, after its notes; raise its error."""
    try:
        done = result()
    except BrokenProcessPool as error:
        raise died(error) from error
    for text in done.notes:
        note(text)
    if done.error is not None:
        if done.traceback:
            done.error.add_note(f"in a process beside this one:\n{done.traceback}")
        raise done.error
    yield from done.results


def died(error: BrokenProcessPool) -> RuntimeError:
    """Return the error that says that a process is no more."""
    return RuntimeError("a process beside this one was ended; workers=1 takes no other, and less memory")


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let processes that are started here ignore the interrupt key, which is for this one; it then ends them."""
    if threading.current_thread() is not threading.main_thread():  # which alone may say so
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
