"""Runs the points of a sweep: one after another, on the cores of one machine, on a Ray cluster, or under Slurm.

A launcher has ``workers``, how many points it runs at once as far as it knows, and ``launch``, which runs a function on
every job and yields outcomes as they come. It knows no point's meaning; each needs only its own package.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sim.errors import check_number


@dataclass(frozen=True)
class Job:
    """One point to run, in plain values that travel between machines.

    Parameters
    ----------
    number : int
        Of the point.
    config : dict
        Resolved.
    file : str
        Where its rows go, an absolute path on a file system that all machines share.
    cache : str or None
        Folder of predictions and bounds, see ``sim.study.output.store``.
    source : str or None
        Digest of the code that the point is to be run with (``sim.study.output.source_digest``); None for any.
    modules : sequence of str
        Folders of a user's own modules.
    """

    number: int
    config: dict[str, Any]
    file: str
    cache: str | None
    source: str | None = None
    modules: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """Of a job: its number; what went wrong, in a line, None if its rows are in its file; and notes for the user."""

    number: int
    error: str | None = None
    notes: Sequence[str] = ()


class Launcher(Protocol):
    """What runs jobs."""

    @property
    def workers(self) -> int:
        """How many run at once."""
        ...

    def launch(self, function: Callable[[Job], Outcome], jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Run the function, which never raises, on every job; yield outcomes in any order."""
        ...


class Basic:
    """One point after another, in this process."""

    workers = 1

    def launch(self, function: Callable[[Job], Outcome], jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Yield outcomes in order."""
        yield from map(function, jobs)


@dataclass(frozen=True)
class Joblib:
    """Processes on one machine.

    Parameters
    ----------
    n_jobs : int
        How many; -1 for one per core.
    """

    n_jobs: int = -1

    def __post_init__(self) -> None:
        """Check the number and the package."""
        need("joblib", "joblib", "launcher")
        if self.n_jobs < 1 and self.n_jobs != -1:
            raise ValueError(f"launcher.n_jobs is {self.n_jobs}; it must be at least 1, or -1 for one per core")

    @property
    def workers(self) -> int:
        """As many as asked for."""
        from joblib import effective_n_jobs

        return int(effective_n_jobs(self.n_jobs))

    def launch(self, function: Callable[[Job], Outcome], jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Yield outcomes as they come."""
        from joblib import Parallel, delayed

        parallel = Parallel(n_jobs=self.n_jobs, backend="loky", batch_size=1, return_as="generator_unordered")
        yield from parallel(delayed(function)(job) for job in jobs)


@dataclass(frozen=True)
class Ray:
    """Tasks on a Ray cluster whose machines have this package and share the output directory.

    Parameters
    ----------
    address : str or None
        Of the cluster, such as ``auto`` or ``HOST:6379``; None to start one on this machine.
    cpus_per_point : float
        What a point takes of a machine's cores.
    retries : int
        How often a point is run again whose machine or process was lost; -1 for as often as it takes.
    """

    address: str | None = None
    cpus_per_point: float = 1
    retries: int = 3

    def __post_init__(self) -> None:
        """Check the package and the numbers."""
        need("ray", "ray", "ray")
        check_number("launcher.cpus_per_point", self.cpus_per_point, above=0)
        check_number("launcher.retries", self.retries, least=-1)

    @property
    def workers(self) -> int:
        """How many fit on the cluster; 1 before it is known."""
        import ray

        cpus = ray.cluster_resources().get("CPU", 1) if ray.is_initialized() else 1
        return max(1, int(cpus / self.cpus_per_point))

    def launch(self, function: Callable[[Job], Outcome], jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Yield outcomes as they come."""
        import ray

        is_ours = not ray.is_initialized()
        if is_ours:
            ray.init(address=self.address, log_to_driver=False)
        try:
            task = ray.remote(num_cpus=self.cpus_per_point, max_retries=self.retries)(function)
            running = {task.remote(job): job for job in jobs}
            while running:
                [done], _ = ray.wait(list(running), num_returns=1)
                job = running.pop(done)
                try:
                    yield ray.get(done)
                except ray.exceptions.RayError as error:
                    yield lost(job, error)
        finally:
            if is_ours:
                ray.shutdown()


@dataclass(frozen=True)
class Submitit:
    """An array of jobs under Slurm, whose nodes have this package and share the output directory.

    Parameters
    ----------
    folder : str
        For submitit's logs and pickles.
    cluster : str
        ``slurm``, or ``local`` for processes on this machine.
    timeout_min, cpus_per_task, mem_gb
        Of each point.
    partition : str or None
    at_once : int
        How many of the array may run at once.
    poll_s : float
        How often to look for what is done.
    """

    folder: str
    cluster: str = "slurm"
    timeout_min: int = 60
    cpus_per_task: int = 1
    mem_gb: float = 4
    partition: str | None = None
    at_once: int = 64
    poll_s: float = 5.0

    def __post_init__(self) -> None:
        """Check the package."""
        need("submitit_slurm", "submitit", "submitit")

    @property
    def workers(self) -> int:
        """As many as may run at once."""
        return self.at_once

    def launch(self, function: Callable[[Job], Outcome], jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Yield outcomes as they come."""
        import submitit

        executor = submitit.AutoExecutor(folder=Path(self.folder).resolve(), cluster=self.cluster)
        executor.update_parameters(
            timeout_min=self.timeout_min,
            cpus_per_task=self.cpus_per_task,
            mem_gb=self.mem_gb,
            slurm_array_parallelism=self.at_once,
        )
        if self.partition is not None:
            executor.update_parameters(slurm_partition=self.partition)
        running = dict(zip(executor.map_array(function, jobs), jobs, strict=True))
        for done in submitit.helpers.as_completed(list(running), poll_frequency=self.poll_s):
            try:
                yield done.result()
            except Exception as error:  # whatever a scheduler may do to a job: time out, out of memory, node gone
                yield lost(running[done], error)


def lost(job: Job, error: Exception) -> Outcome:
    """Return the outcome of a job whose process was lost."""
    return Outcome(job.number, f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no reason given'])[0]}")


def need(launcher: str, package: str, extra: str) -> None:
    """Raise ImportError if the package of a launcher is not installed."""
    try:
        found = importlib.util.find_spec(package) is not None
    except ValueError:  # put out of the way, as tests do
        found = False
    if not found:
        raise ImportError(f"launcher={launcher} needs {package}: pip install 'llm-switchyard[{extra}]'")
