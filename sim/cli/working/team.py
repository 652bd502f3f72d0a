"""Carries out tasks of a study in this process and in others beside it, which are started once and end with the study.

Results come in the order of the tasks, so that who did what cannot be seen in them.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from threadpoolctl import threadpool_limits

from sim.cli.building import Settled, by_order
from sim.cli.working.messages import Begin, Done, packed, receive, send, shared_by, unpacked
from sim.cli.working.worth import Amount, processes, queries_named, queries_of
from sim.errors import note
from sim.interface import Policy
from sim.scenario import Scenario
from sim.study.side_by_side import Result, Task

# The path is that of this process, whatever lies in the folder where it was started.
START = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:] = json.loads(sys.argv[1])
from sim.cli.working.helper import help_out
help_out()
"""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
Study = TypeVar("Study")
Make = Callable[[DictConfig, Mapping[str, Scenario], Mapping[str, Policy]], Study]
AHEAD = 2  # results that wait for an earlier one, per process


class Team:
    """A study's process and helpers, of which each makes the study itself, from its configuration.

    Helpers start at once where the configuration says how many queries arrive, and else when the study is shared.

    Parameters
    ----------
    config : DictConfig
        Its ``workers`` says how many processes there are, this one among them; null for as many as are worth it.
    amount : Amount
        What the study asks for.
    is_alone : bool
        Whether the study has objects of the caller's, which no other process could make.

    Raises
    ------
    ValueError
        If ``workers`` cannot be.
    """

    def __init__(self, config: DictConfig, amount: Amount, is_alone: bool = False) -> None:
        self._config, self._amount, self._is_alone = config, amount, is_alone
        self._helpers: list[Helper] = []
        self._shared: Sequence[object] = ()
        self._batch: Batch | None = None
        self._start(queries_named(config))

    def __enter__(self) -> Team:
        """Return it; the helpers are starting already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the helpers, whatever they are at."""
        if self._batch is not None:
            self._batch.stop()
        for helper in self._helpers:
            helper.end()

    @property
    def workers(self) -> int:
        """How many processes there are."""
        return 1 + len(self._helpers)

    def _start(self, n_queries: int | None) -> None:
        number = processes(self._config, n_queries, self._amount) - 1
        if not self._is_alone:
            self._helpers += [Helper() for _ in range(number - len(self._helpers))]

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
        """Return the study that ``make`` makes, and let each helper make the same.

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
        self._shared = shared_by(study, scenarios)
        if self._helpers:
            plain: dict[str, Any] = OmegaConf.to_container(self._config, resolve=True)  # type: ignore[assignment]
            begin = packed(Begin(make, plain, tuple(policies), {name: scenarios[name].order for name in searched}))
            for helper in self._helpers:
                helper.begin(begin)
        return study

    def each(self, work: Callable[[Task], Iterable[Result]], tasks: Sequence[Task]) -> Generator[Result, None, None]:
        """Yield what the work, a method of the study, yields for each task, in the order of the tasks.

        Raises
        ------
        Exception
            What a task raised, when it is its turn.
        RuntimeError
            If a helper dies.
        """
        if not self._helpers or len(tasks) < 2:
            for task in tasks:
                yield from work(task)
            return
        self._batch = batch = Batch(work, tasks, AHEAD * self.workers)
        for helper in self._helpers:
            helper.join(batch, self._shared)
        with threadpool_limits(1):  # as helpers have, since the last bit of a product may depend on it
            try:
                yield from batch.results()
            finally:
                batch.stop()


class Batch:
    """Tasks that are being carried out, and the results that wait for their turn.

    Parameters
    ----------
    work : callable
    tasks : sequence
    ahead : int
        How far a task may be begun before the one whose turn it is.
    """

    def __init__(self, work: Callable[[Any], Iterable[Any]], tasks: Sequence[Any], ahead: int) -> None:
        self.work, self.tasks = work, tasks
        self._ahead = ahead
        self._changed = threading.Condition()
        self._next = self._turn = 0
        self._done: dict[int, Done] = {}
        self._refused: list[int] = []
        self._absent: list[str] = []

    def take(self) -> int | None:
        """Return the number of a task for a helper, when one may be begun; None if there are no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._next == len(self.tasks) or self._next < self._turn + self._ahead)
            return self._following()

    def put(self, number: int, done: Done) -> None:
        """Note what became of a task."""
        with self._changed:
            self._done[number] = done
            self._changed.notify_all()

    def refuse(self, number: int) -> None:
        """Give back a task that cannot be sent to another process."""
        with self._changed:
            self._refused.append(number)
            self._changed.notify_all()

    def without(self, why: str) -> None:
        """Note that a helper takes no part, and why."""
        self._absent.append(why)

    def stop(self) -> None:
        """Give out no more tasks."""
        with self._changed:
            self._next = len(self.tasks)
            self._changed.notify_all()

    def results(self) -> Iterator[Any]:
        """Yield all results in order, carrying out here what no helper has taken."""
        while self._turn < len(self.tasks):
            with self._changed:
                done = self._done.pop(self._turn, None)
                mine = self._own() if done is None else None
                if done is None and mine is None:
                    self._changed.wait(1.0)  # not for ever, so that the interrupt key works on every system
                    continue
            if done is not None:
                yield from given(done)
            elif mine == self._turn:
                yield from self.work(self.tasks[mine])
            elif mine is not None:
                self.put(mine, self._carried_out(mine))
                continue
            with self._changed:
                self._turn += 1
                self._changed.notify_all()
        for why in self._absent:
            note(f"one process less worked at this study, as {why}")

    def _own(self) -> int | None:
        if self._refused:
            return self._refused.pop(0)
        return self._following() if self._next < self._turn + self._ahead else None

    def _following(self) -> int | None:
        if self._next == len(self.tasks):
            return None
        self._next += 1
        return self._next - 1

    def _carried_out(self, number: int) -> Done:
        try:
            return Done(list(self.work(self.tasks[number])))
        except Exception as error:  # it is raised when it is its turn
            return Done((), error=error)


def given(done: Done) -> Iterator[Any]:
    """Yield the results of a task, after its notes; raise its error."""
    for text in done.notes:
        note(text)
    if done.error is not None:
        if done.traceback:
            done.error.add_note(f"in a process beside this one:\n{done.traceback}")
        raise done.error
    yield from done.results


class Helper:
    """A process beside this one, and the thread that talks to it. It begins to import at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ONE_THREAD},
            start_new_session=True,  # so that the interrupt key reaches this process alone, which then ends it
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._hears, self._says = self._process.stdin, self._process.stdout
        self._is_ready = False
        self._thread: threading.Thread | None = None

    def begin(self, message: bytes) -> None:
        """Let it make the study."""
        with contextlib.suppress(BrokenPipeError):  # if it is dead, that is found when it is asked for something
            send(self._hears, message)

    def join(self, batch: Batch, shared: Sequence[object]) -> None:
        """Let it take tasks of a batch until there are no more, once it has ended what it is at."""
        before = self._thread
        self._thread = threading.Thread(target=self._take_part, args=(batch, shared, before), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(BrokenPipeError):
            self._hears.close()
        self._says.close()

    def _take_part(self, batch: Batch, shared: Sequence[object], before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        if not self._is_ready:
            done = self._answer()
            if done.error is not None:
                batch.without(str(done.error))
                return
            self._is_ready = True
        while (number := batch.take()) is not None:
            try:
                message = packed((batch.work, batch.tasks[number]), shared)
            except Exception:  # whatever classes of a user's own raise
                batch.refuse(number)
                return
            with contextlib.suppress(BrokenPipeError):
                send(self._hears, message)
            batch.put(number, self._answer())
            if self._process.poll() is not None:
                return

    def _answer(self) -> Done:
        message = receive(self._says)
        if message is not None:
            done: Done = unpacked(message)
            return done
        code = self._process.wait()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        return Done(
            (), error=RuntimeError(f"a process beside this one {how}; workers=1 takes no other, and less memory")
        )
