"""Describes laboratory queues, and the conditions that closed forms put on them. It knows no formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sim.distributions import Distribution, Exponential, Gamma

OFF_BY = 1e-9  # by how much shares may miss 1
MOST_RANKS = 9


@dataclass(frozen=True)
class Ranked:
    """Customers of one rank.

    Parameters
    ----------
    share : float
        Of all customers.
    service : Distribution
    """

    share: float
    service: Distribution


@dataclass(frozen=True)
class System:
    """A queue with independent gaps between arrivals and independent service times, first come first served.

    Parameters
    ----------
    name : str
    gap, service : Distribution
    servers : int or None
        None for as many as there are customers.
    shared : bool
        The servers are places that share the speed of one: processor sharing.
    queue_capacity : int or None
        How many may wait; None for any number.
    patience : Distribution or None
        How long a customer waits at most; None for ever.
    after : tuple of Distribution
        Service times of further single servers in series behind it.
    ranks : sequence of Ranked
        Customers with priorities, the most urgent first; their services stand in the place of ``service``. Empty where
        all are alike.
    preemptive : bool
        Whether a more urgent customer takes the place of one in service, who goes on later.
    """

    name: str
    gap: Distribution
    service: Distribution
    servers: int | None = 1
    shared: bool = False
    queue_capacity: int | None = None
    patience: Distribution | None = None
    after: tuple[Distribution, ...] = ()
    ranks: Sequence[Ranked] = ()
    preemptive: bool = False

    def __post_init__(self) -> None:
        """Check the shares."""
        if self.ranks and abs(sum(one.share for one in self.ranks) - 1) > OFF_BY:
            raise ValueError(f"the shares of ranks sum to {sum(one.share for one in self.ranks):g}; they must sum to 1")
        if not all(one.share > 0 for one in self.ranks):
            raise ValueError(f"a rank has the share {min(one.share for one in self.ranks):g}; it must be positive")
        if len(self.ranks) > MOST_RANKS:
            raise ValueError(f"there are {len(self.ranks)} ranks; there may be at most {MOST_RANKS}")

    @property
    def rate_per_s(self) -> float:
        """Arrivals per second."""
        return 1 / self.gap.mean_s

    @property
    def load(self) -> float:
        """The offered load: arrival rate x mean service time."""
        if self.ranks:
            return sum(one.share * one.service.mean_s for one in self.ranks) / self.gap.mean_s
        return self.service.mean_s / self.gap.mean_s


def kind(distribution: Distribution) -> str:
    """Return a distribution in words."""
    return f"{type(distribution).__name__.lower()} (CV {distribution.cv:g})"


def poisson(system: System) -> str | None:
    """Require exponential gaps."""
    return None if isinstance(system.gap, Exponential) else f"gaps are {kind(system.gap)}, not exponential"


def known_transform(system: System) -> str | None:
    """Require gaps whose Laplace transform is at hand."""
    known = isinstance(system.gap, Exponential | Gamma)
    return None if known else f"gaps are {kind(system.gap)}, without a closed Laplace transform here"


def exponential(system: System) -> str | None:
    """Require exponential service at every stage."""
    other = [kind(service) for service in services(system) if not isinstance(service, Exponential)]
    return f"service is {other[0]}, not exponential" if other else None


def services(system: System) -> tuple[Distribution, ...]:
    """Return every distribution of service."""
    return (*([one.service for one in system.ranks] or [system.service]), *system.after)


def one_service(system: System) -> str | None:
    """Require that all ranks have one mean service."""
    means = {one.service.mean_s for one in system.ranks}
    return None if len(means) < 2 else "the mean service of ranks differs"


def unranked(system: System) -> str | None:
    """Require customers that are all alike."""
    return "customers have priorities" if system.ranks else None


def ranked(system: System) -> str | None:
    """Require customers with priorities."""
    return None if system.ranks else "customers have no priorities"


def preempting(system: System) -> str | None:
    """Require that service is interrupted."""
    return None if system.preemptive else "nobody is interrupted in service"


def uninterrupted(system: System) -> str | None:
    """Require that service is not interrupted."""
    return "customers are interrupted in service" if system.preemptive else None


def in_turn(system: System) -> str | None:
    """Require servers that serve one customer each."""
    return "customers share the server" if system.shared else None


def sharing(system: System) -> str | None:
    """Require a server that customers share."""
    return None if system.shared else "customers are served one by one, not shared"


def one_server(system: System) -> str | None:
    """Require one server."""
    return None if system.servers == 1 else "there is not one server"


def some_servers(system: System) -> str | None:
    """Require a limited number of servers."""
    return "the number of servers is not limited" if system.servers is None else None


def unlimited_servers(system: System) -> str | None:
    """Require a server for everyone."""
    return None if system.servers is None else "the number of servers is limited"


def any_queue(system: System) -> str | None:
    """Require a queue without limit."""
    return None if system.queue_capacity is None else "the queue is limited"


def no_queue(system: System) -> str | None:
    """Require that nobody may wait."""
    return None if system.queue_capacity == 0 else "customers may wait, so none is lost"


def limited_queue(system: System) -> str | None:
    """Require a limit to the queue."""
    return None if system.queue_capacity is not None else "any number may wait, so none is lost"


def patient(system: System) -> str | None:
    """Require that nobody gives up."""
    return None if system.patience is None else "customers give up"


def impatient(system: System) -> str | None:
    """Require exponential patience."""
    if system.patience is None:
        return "customers are patient"
    return None if isinstance(system.patience, Exponential) else f"patience is {kind(system.patience)}, not exponential"


def alone(system: System) -> str | None:
    """Require one station."""
    return "stations are in series" if system.after else None


def series(system: System) -> str | None:
    """Require stations in series."""
    return None if system.after else "there is one station only"


def stable(system: System) -> str | None:
    """Require a load below the number of servers, at every stage."""
    servers = 1 if system.shared or system.servers is None else system.servers
    loads = (system.load / servers, *(service.mean_s * system.rate_per_s for service in system.after))
    return f"the load is {max(loads):g} of what can be served, so the queue grows" if max(loads) >= 1 else None
