"""Says what several deployments, or all, may spend together on some queries or all: limits in a planner's words.

A limit stands beside the budgets of deployments: a query pays from every budget and limit that it falls under. It knows
no clock and no query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sim.errors import check_number, check_one_of, unknown
from sim.spending.calendar import FIRST, PERIODS, Calendar, begin

TOTAL = "total"
WORDS = re.compile(
    r"(?P<amount>\S+)(?: (?P<currency>[A-Za-z]\S*))??(?: (?:an?|per) (?P<every>hour|day|week|month))?"
    r"(?: for (?P<of>.+?))?(?: hard|(?P<soft> soft))?(?P<rollover> rollover)?"
)
RIGHT = "it must be such as '100 USD a day', '2000 USD a month soft' or '5 USD for gpt-4 and gpt-3.5'"


@dataclass(frozen=True)
class Limit:
    """What may be spent together, in a period of the calendar or in the whole run.

    Parameters
    ----------
    amount : float
        In the currency; ``inf`` to count only.
    every : str or None
        ``hour``, ``day``, ``week`` or ``month``; None for the whole run.
    of : sequence of str
        Names of deployments, models, accounts of the budget, sources of queries, or ``total``. It is for queries that
        one of the named deployments takes on (any, if none is named) and that come from one of the named sources (any).
    soft : bool
        Whether what goes beyond it is counted and admitted all the same.
    rollover : bool
        Whether what is left is added to the next period.
    """

    amount: float
    every: str | None = None
    of: Sequence[str] = ()
    soft: bool = False
    rollover: bool = False


@dataclass(frozen=True)
class Spending:
    """Limits on what queries cost together, beside the budgets of deployments.

    Parameters
    ----------
    limits : mapping of str to str, float or mapping
        Each limit by name: an amount, words such as ``100 USD a day``, or a mapping with ``amount``, ``every``, ``of``,
        ``soft`` and ``rollover``. A limit that does not say what it is of is of the deployment, model, account or
        source of its own name; ``total`` is of everything.
    starts_at : str
        Date and time of the first arrival, see ``Calendar``.
    time_zone : str or None
        By whose midnight days begin; None: the offset of ``starts_at``, or UTC.
    alert_at : sequence of float
        At which shares of a limit there is an alert, when so much has been paid.
    currency : str
        Name of the money that every price and amount is in, for reports. Nothing is converted.

    Raises
    ------
    ValueError
        If a limit cannot be read or is out of range, naming it.
    """

    limits: Mapping[str, str | float | Mapping[str, Any]] = field(default_factory=dict)
    starts_at: str = FIRST
    time_zone: str | None = None
    alert_at: Sequence[float] = (0.8, 1.0)
    currency: str = "USD"

    def __post_init__(self) -> None:
        """Check everything that needs no fleet."""
        begin(self.starts_at, self.time_zone)
        for share in self.alert_at:
            check_number("an entry of spending.alert_at", share, above=0)
        if not re.fullmatch(r"[^\W\d]\S{0,11}", self.currency):
            raise ValueError(f"spending.currency is {self.currency!r}; it must be one short word, such as USD or EUR")
        self.read()

    def read(self) -> dict[str, Limit]:
        """Return the limits by name."""
        return {
            str(name): self._limit(f"spending.limits.{name}", str(name), each) for name, each in self.limits.items()
        }

    def calendar(self, every: str) -> Calendar:
        """Return the calendar of a period."""
        return Calendar(every, self.starts_at, self.time_zone)

    @property
    def refuses(self) -> bool:
        """Whether any limit may refuse a query."""
        return any(not limit.soft for limit in self.read().values())

    @property
    def renews(self) -> bool:
        """Whether any limit begins anew during a run."""
        return any(limit.every is not None for limit in self.read().values())

    def _limit(self, key: str, name: str, given: str | float | Mapping[str, Any]) -> Limit:
        if isinstance(given, str):
            given = self._of_words(key, given)
        elif not isinstance(given, Mapping):
            given = {"amount": given}
        known = [one.name for one in fields(Limit)]
        for word in given:
            if word not in known:
                raise ValueError(unknown("key", f"{key}.{word}", [f"{key}.{one}" for one in known]))
        if "amount" not in given:
            raise ValueError(f"{key} has no amount; give one, such as {{amount: 100, every: day}}")
        amount, of = given["amount"], given.get("of", name)
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not amount >= 0:
            raise ValueError(f"{key} is {amount}; the amount must be at least 0, inf to count only")
        if given.get("every") is not None:
            check_one_of(f"{key}.every", given["every"], PERIODS)
        for flag in ("soft", "rollover"):
            if not isinstance(given.get(flag, False), bool):
                raise ValueError(f"{key}.{flag} is {given[flag]!r}; it must be true or false")
        if given.get("rollover") and given.get("every") is None:
            raise ValueError(f"{key} rolls over and has no period; add one, such as a month")
        names = [of] if isinstance(of, str) else list(of)
        return Limit(**{**given, "amount": float(amount), "of": tuple(map(str, names))})

    def _of_words(self, key: str, words: str) -> dict[str, Any]:
        """Return what words such as ``100 USD a day`` say, as a mapping."""
        found = WORDS.fullmatch(" ".join(words.split()))
        try:
            amount = float(found["amount"].replace("_", "")) if found else None
        except ValueError:
            amount = None
        if found is None or amount is None:
            raise ValueError(f"{key} is {words!r}; {RIGHT}")
        if found["currency"] not in (None, self.currency):
            raise ValueError(
                f"{key} is in {found['currency']} and spending.currency is {self.currency}: nothing is converted, so "
                "write all amounts and prices in one currency, and its name there"
            )
        said: dict[str, Any] = {"amount": amount, "every": found["every"]}
        if found["of"]:
            said["of"] = found["of"].replace(",", " ").replace(" and ", " ").split()
        return said | {"soft": found["soft"] is not None, "rollover": found["rollover"] is not None}
