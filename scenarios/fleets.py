"""Builds fleets from the workload's models: which deployments there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

import numpy as np

from scenarios.editing import Change, edited
from scenarios.prices import current_price
from scenarios.roofline.roofline import Roofline
from sim.deployment import TOKEN_PRICES, Autoscaler, Balancer, Deployment, Distribution, Service, Spot
from sim.errors import note, unknown

PRICES = ("listed", "current")
Member = TypeVar("Member")


@dataclass(frozen=True)
class OnePerModel:
    """One deployment for each model, all alike.

    Parameters
    ----------
    service : Service
    queue_capacity : int or None
        How many queries may wait at a deployment, over all replicas; None for any number.
    replicas : int
        Of each deployment.
    balancer : Balancer or None
        Which replica serves a query; None for the least loaded one.
    discipline : callable or None
        Which waiting query is served first; None for the one that came first.
    preemptive : bool
        Whether a query that finds no room takes the place of one in service that the discipline ranks higher, which
        goes on later where it was stopped.
    patience : Distribution or None
        How long a query waits before it leaves, in seconds; None for as long as it takes.
    timeout_s : float or None
        How long a query may take before it is stopped; None for as long as it takes.
    autoscaler : Autoscaler or None
        What opens and closes replicas; None for a fixed number.
    spot : Spot or None
        How replicas are taken away and replaced, and what share of the price they cost; None for replicas that stay.
    price_per_hour_usd : float
        Rent of one replica on demand.
    prefix_cache_tokens : float or None
        Room of each replica for prefixes of prompts, in tokens; inf for any number, None for no such cache.
    models : sequence of str or None
        The models to deploy; None for all of the workload.
    size : int or None
        Deploy a random subset of this size, see ``subset``; budgets are split among the subset.
    """

    service: Service
    queue_capacity: int | None = None
    replicas: int = 1
    balancer: Balancer | None = None
    discipline: Callable[[Any], float] | None = None
    patience: Distribution | None = None
    timeout_s: float | None = None
    autoscaler: Autoscaler | None = None
    price_per_hour_usd: float = 0.0
    prefix_cache_tokens: float | None = None
    models: Sequence[str] | None = None
    size: int | None = None
    preemptive: bool = False
    spot: Spot | None = None

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        """Return the fleet, in the order of the models."""
        for model in self.models or ():
            if model not in models:
                raise ValueError(unknown("model", model, models))
        return tuple(
            Deployment(
                name=model,
                model=model,
                service=self.service,
                queue_capacity=self.queue_capacity,
                replicas=self.replicas,
                balancer=self.balancer,
                discipline=self.discipline,
                preemptive=self.preemptive,
                patience=self.patience,
                timeout_s=self.timeout_s,
                autoscaler=self.autoscaler,
                spot=self.spot,
                price_per_hour_usd=self.price_per_hour_usd,
                prefix_cache_tokens=self.prefix_cache_tokens,
            )
            for model in subset(list(self.models or models), self.size, "models", rng)
        )


@dataclass(frozen=True)
class Listed:
    """Deployments given one by one, each with its own model, service and queue.

    Parameters
    ----------
    members : sequence of Deployment
    size : int or None
        Deploy a random subset of this size, see ``subset``.
    exclude : sequence of str
        Names of deployments to leave out.
    change : mapping of str to mapping, or None
        For a deployment's name, numbers to change, as in ``{short: {replicas: 2}}``; see ``Catalogue``.
    about : str or None
        What the fleet is, for the first lines of reports.
    any_model : bool
        Whether a deployment whose model the workload lacks takes the workload's first, which is noted: its quality and
        token prices are then that model's, its latency its own.
    """

    members: Sequence[Deployment]
    size: int | None = None
    exclude: Sequence[str] = ()
    change: Change | None = None
    about: str | None = None
    any_model: bool = False

    @property
    def cheapens_prefixes(self) -> bool:
        """Whether a member charges less for a prefix that it holds."""
        return any(member.cheapens_prefixes for member in self.members)

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        """Return the fleet as listed and edited."""
        members = edited(self.members, self.exclude, self.change)
        for k, one in enumerate(members):
            if one.model not in models and self.any_model:
                is_priced = one.price_per_hour_usd > 0 or one.price_output_usd_per_million is not None
                note(
                    f"deployment {one.name!r} answers as {models[0]!r} of the workload does, at its own speed"
                    f"{'' if is_priced else ' and at the prices of that model, as it has none'}; "
                    f"fleet.change={{{one.name}: {{model: NAME}}}} lets it answer as another"
                )
                members[k] = replace(one, model=models[0])
            elif one.model not in models:
                raise ValueError(
                    f"deployment {one.name!r}: {unknown('model', one.model, models)}; "
                    f"fleet.change={{{one.name}: {{model: NAME}}}} puts it to a model of the workload"
                )
        return tuple(subset(members, self.size, "deployments listed", rng))


@dataclass(frozen=True)
class Catalogue:
    """Deployments with the models, speeds and prices that somebody published, put to the models of a workload.

    Parameters
    ----------
    entries : sequence of Deployment or Roofline
        Each names its own model and says where its numbers are from.
    models : mapping of str to str or None, or None
        For an entry's name, the workload's model that answers there, or None to leave the entry out. An entry that is
        not mentioned serves the workload's model of its own model's name.
    prices : str
        ``listed``, the entries' own; or ``current``, list prices from the package genai-prices for each entry that
        lists a price per token.
    listings : mapping of str to str, or None
        For an entry's name, what genai-prices calls it, as ``provider/model``; without it, the entry's model at
        whatever provider the package finds.
    as_of : str or None
        The day of current prices, such as ``2026-08-21``, so that a run can be repeated; None for today.
    size : int or None
        Deploy a random subset of the entries that are not left out, see ``subset``.
    prefix_cache_tokens : float or None
        Room for prefixes of prompts, in tokens, of each replica of every entry that prefills and has none of its own;
        inf for any number, None for none.
    exclude : sequence of str
        Names of entries to leave out.
    change : mapping of str to mapping, or None
        For an entry's name, numbers to change, as in ``{8b-h100: {price_per_hour_usd: 2.5, replicas: 2}}``; those of
        its service as ``service.slots``, and ``model``. They have no origin, as they are yours.
    about : str or None
        What the catalogue is, for the first lines of reports.

    Raises
    ------
    ValueError
        If ``exclude``, ``change``, ``models`` or ``listings`` mention an entry that does not exist, ``prices`` or
        ``as_of`` cannot be read, or a current price is not known.
    ImportError
        If current prices are wanted and genai-prices is not installed.
    """

    entries: Sequence[Deployment | Roofline]
    models: Mapping[str, str | None] | None = None
    prices: str = "listed"
    listings: Mapping[str, str] | None = None
    as_of: str | None = None
    size: int | None = None
    prefix_cache_tokens: float | None = None
    exclude: Sequence[str] = ()
    change: Change | None = None
    about: str | None = None

    @property
    def cheapens_prefixes(self) -> bool:
        """Whether an entry charges less for a prefix that it holds."""
        return any(self._with_cache(entry).cheapens_prefixes for entry in self._listed())

    def __post_init__(self) -> None:
        """Check the names."""
        names = [entry.name for entry in self._listed()]
        for name in (*(self.models or ()), *(self.listings or ())):
            if name not in names:
                raise ValueError(unknown("fleet entry", name, names))
        if self.prices not in PRICES:
            raise ValueError(unknown("fleet.prices", self.prices, PRICES))
        for name, listing in (self.listings or {}).items():
            if not all(listing.partition("/")):
                raise ValueError(f"the listing of {name!r} is {listing!r}; it must be provider/model")
        if self.as_of is not None:
            day_of(self.as_of)

    def deployments(self, models: Sequence[str], rng: np.random.Generator) -> tuple[Deployment, ...]:
        """Return the entries that are not left out, each with its model of the workload."""
        mapping = self.models or {}
        members = []
        for entry in edited(self._listed(), self.exclude, self.change):
            own = (self.change or {}).get(entry.name, {})
            model = own.get("model") or mapping.get(entry.name, entry.model)
            if model is None:
                continue
            if model not in models:
                raise ValueError(
                    f"fleet entry {entry.name!r}: {unknown('model', model, models)}; "
                    "fleet.models can put the entry to a model of the workload, or to null to leave it out"
                )
            cached = self._with_cache(entry)
            priced = cached if TOKEN_PRICES[0] in own else self._priced(cached)
            members.append(replace(priced, model=model))
        return tuple(subset(members, self.size, "entries", rng))

    def _listed(self) -> list[Deployment]:
        return [one.deployment() if isinstance(one, Roofline) else one for one in self.entries]

    def _with_cache(self, entry: Deployment) -> Deployment:
        if self.prefix_cache_tokens is None or entry.prefix_cache_tokens is not None or not entry.prefills:
            return entry
        return replace(entry, prefix_cache_tokens=self.prefix_cache_tokens)

    def _priced(self, entry: Deployment) -> Deployment:
        if self.prices == "listed" or entry.price_input_usd_per_million is None:
            return entry
        provider, _, model = (self.listings or {}).get(entry.name, f"/{entry.model}").partition("/")
        day = date.today() if self.as_of is None else day_of(self.as_of)
        price = current_price(model, provider or None, day)
        origin = {"source": price.source, "as_of": day.isoformat(), "confidence": "medium"}
        return replace(
            entry,
            price_input_usd_per_million=price.input_usd_per_million,
            price_output_usd_per_million=price.output_usd_per_million,
            provenance={**(entry.provenance or {}), **dict.fromkeys(TOKEN_PRICES, origin)},
        )


def subset(members: Sequence[Member], size: int | None, what: str, rng: np.random.Generator) -> list[Member]:
    """Return ``size`` of the members at random, in their own order; all of them for None.

    They are the first ``size`` of one random permutation, so that in a replication (whose stream is always the same) a
    smaller fleet is part of every larger one, and a sweep over sizes shows what members add. Their own order keeps each
    budget with its deployment. (The published sweep, arXiv 2509.02718 and its released code, takes weights in the order
    of the draw and models in their own, so that budgets go to the wrong models.)

    Raises
    ------
    ValueError
        If there are not so many.
    """
    if size is None:
        return list(members)
    if not 1 <= size <= len(members):
        raise ValueError(f"fleet.size is {size}; it must be from 1 to {len(members)}, the number of {what}")
    return [members[k] for k in np.sort(rng.permutation(len(members))[:size])]


def day_of(text: str) -> date:
    """Return the day; raise ValueError if there is none."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"as_of is {text!r}; it must be a day such as 2026-08-21") from error
