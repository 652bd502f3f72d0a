"""Says what a part of a scenario may tell of itself, and what holds of a part that does not.

A part must offer what its protocol in ``sim.deployment`` or ``sim.scenario`` demands, and may have any attribute of the
class below that speaks of its kind. It does not inherit that class: a plain function may be an order, and a class with
``run`` alone an event. Each field has its default; ``EventTraits.of(event).moves_money`` reads one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from numpy.random import Generator

from sim.interface import FloatArray, IntArray


def unknown_rate(mean_input_tokens: float, mean_output_tokens: float) -> float | None:
    """Return None: no formula knows."""
    return None


def unknown_times_s(output_tokens: IntArray | None, draws: FloatArray | None) -> FloatArray | None:
    """Return None: the times are not known beforehand."""
    return None


@dataclass(frozen=True)
class Traits:
    """What parts of one kind may say."""

    @classmethod
    def of(cls, part: object) -> Self:
        """Return what a part says, and the defaults of all else."""
        return cls(**{field.name: getattr(part, field.name, field.default) for field in fields(cls)})


@dataclass(frozen=True)
class FileTraits(Traits):
    """Of any part of a scenario.

    Parameters
    ----------
    files : sequence of Path
        What it was read from, for the manifest.
    """

    files: Sequence[Path] = ()


@dataclass(frozen=True)
class ServiceTraits(Traits):
    """Of a service.

    Parameters
    ----------
    slots : int or None
        How many queries each engine of a replica serves at once; None without a limit.
    ranks : int
        How many engines a replica has.
    context_tokens : int or None
        The most input and output tokens of one query; None for no limit.
    kv_tokens, reserved_output_tokens : int or None
        Room in the key-value cache, and what an admission reserves there beside the input; None for no limit, and for
        the true output.
    kv_holds : str
        When a query takes that room, for what is drawn of it: ``reserved`` from its start on for input and output;
        ``grows`` with the output as it is made; ``decoding`` from its first token on for both.
    may_wait : bool
        Whether a query that finds no room may wait in the deployment's queue. If not, it is rejected.
    may_overlap : bool
        Whether more queries than slots may be in service at once by the request table.
    may_pause : bool
        Whether its server can stop a query and go on with it later (``pause``).
    is_hosted : bool
        Whether queries are paid for by the token, whatever is rented beside that.
    prefills : bool
        Whether it begins with the input, token by token, so that a prefix that is held saves time.
    replays_latency : bool
        Whether it takes the workload's measured latencies, which stand in the place of what it would draw.
    draw_by_length : callable or None
        From the output tokens of the arrivals (n_queries,) and a random stream to the numbers (n_queries, n) that it
        draws, where those depend on the lengths; None lets it draw without.
    served_per_s : callable
        From the mean input and output tokens of a query (NaN where the workload has none) to how many such queries a
        full replica serves per second; None where no formula knows.
    holds_s : callable
        From the output tokens of queries (n,) and their draws (n, n_numbers), each or None, to how long each of them
        holds a slot (n,) at normal speed; None where they are not known beforehand, as in a batch.
    """

    slots: int | None = None
    ranks: int = 1
    context_tokens: int | None = None
    kv_tokens: int | None = None
    reserved_output_tokens: int | None = None
    kv_holds: str = "reserved"
    may_wait: bool = True
    may_overlap: bool = False
    may_pause: bool = False
    is_hosted: bool = False
    prefills: bool = False
    replays_latency: bool = False
    draw_by_length: Callable[[IntArray, Generator], FloatArray] | None = None
    served_per_s: Callable[[float, float], float | None] = unknown_rate
    holds_s: Callable[[IntArray | None, FloatArray | None], FloatArray | None] = unknown_times_s


@dataclass(frozen=True)
class FleetTraits(Traits):
    """Of what makes a fleet.

    Parameters
    ----------
    cheapens_prefixes : bool
        Whether what a query costs may depend on what its deployment holds of its prompt, so that no hindsight optimum
        knows it.
    """

    cheapens_prefixes: bool = False


@dataclass(frozen=True)
class DistributionTraits(Traits):
    """Of a distribution of durations.

    Parameters
    ----------
    mean_s : float or None
        None where it is not known.
    """

    mean_s: float | None = None


@dataclass(frozen=True)
class AutoscalerTraits(Traits):
    """Of an autoscaler.

    Parameters
    ----------
    interval_s : float or None
        How often it acts, which is checked against the length of a run; None for no check.
    watches_s : float or None
        How long it wants to know what queries waited; None if it does not.
    needs_slots : bool
        Whether it goes by the share of slots that are busy.
    """

    interval_s: float | None = None
    watches_s: float | None = None
    needs_slots: bool = False


@dataclass(frozen=True)
class BudgetTraits(Traits):
    """Of a budget rule.

    Parameters
    ----------
    is_explicit : bool
        Whether its amounts are for all of the workload's test queries, however many arrive.
    accounts : callable or None
        From the names of the deployments to the name of the account that each pays from; None where each has its own.
        Deployments of one account have one budget together, and its amount stands at each of them.
    """

    is_explicit: bool = False
    accounts: Callable[[Sequence[str]], Sequence[str]] | None = None


@dataclass(frozen=True)
class ArrivalsTraits(Traits):
    """Of an arrival process; one that has both is a closed loop, whose queries arrive when earlier ones have ended.

    Parameters
    ----------
    users : int or None
        How many users ask, wait and ask again.
    think_s : callable or None
        From n_queries and a random stream to how long its user thinks before each query (n_queries,).
    times_of_rows : callable or None
        From the test rows that arrive (n_queries,) to when each does (n_queries,), where times belong to rows and not
        to places; None otherwise.
    turn_times_s : callable or None
        From the session of each query (n_queries,), 0, 1, 2 and so on and the turns of each next to each other, and a
        random stream to the times (n_queries,) of a process in which sessions begin and their turns follow.
    crowds : sequence of (str, float, float)
        What reports mark on their timelines: in words, from when until when, in seconds after the first arrival.
    """

    users: int | None = None
    think_s: Callable[..., FloatArray] | None = None
    times_of_rows: Callable[[IntArray], FloatArray] | None = None
    turn_times_s: Callable[[IntArray, Generator], FloatArray] | None = None
    crowds: Sequence[tuple[str, float, float]] = ()


@dataclass(frozen=True)
class OrderTraits(Traits):
    """Of an order.

    Parameters
    ----------
    with_replacement : bool
        Whether the arriving rows are drawn with replacement.
    unseen : sequence of str
        Topics that it brings and that the history must not have.
    arriving : callable or None
        From the replication to the test rows that arrive, for an order that says itself which they are.
    drawn : callable or None
        From how many test rows there are, how many queries arrive and a random stream to the rows that arrive
        (n_queries,), for an order that draws them with replacement by a law of its own.
    """

    with_replacement: bool = False
    unseen: Sequence[str] = ()
    arriving: Callable[[int], IntArray] | None = None
    drawn: Callable[[int, int, Generator], IntArray] | None = None


@dataclass(frozen=True)
class EventTraits(Traits):
    """Of an event.

    Parameters
    ----------
    deployment : str or None
        The deployment that it happens to; None for every one. Random streams of events are named by it.
    moves_money : bool
        Whether it may change budgets or prices, so that no hindsight optimum bounds the run.
    only_cuts : bool
        Whether it lets no deployment spend more, whatever it changes.
    moves_quality : bool
        Whether it changes what answers are worth, so that no hindsight optimum knows that. One that does not say so may
        not turn the controls for it.
    mean_up_s, mean_down_s : float or None
        Of an event that comes and goes for ever, which is checked against the length of a run; None for no check.
    """

    deployment: str | None = None
    moves_money: bool = True
    only_cuts: bool = False
    moves_quality: bool = False
    mean_up_s: float | None = None
    mean_down_s: float | None = None


def moves_quality(events: Sequence[object]) -> bool:
    """Return whether any of these events changes what answers are worth."""
    return any(EventTraits.of(event).moves_quality for event in events)
