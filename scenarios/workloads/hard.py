"""Makes instances on which proofs are tight: few kinds of queries, in an order that misleads. It knows no policy.

Costs are multiples of 1 USD and budgets whole numbers of them, so that money adds up without rounding. Every kind of
query stands in the history as often as the default estimators have neighbours, and embeddings of different kinds are
orthogonal: exact neighbours (k of at most 5) predict the truth, up to rounding. In ``adwords_triangular`` a query tells
its bids on arrival instead. The instances need their budgets (``budget=each`` with the same amount) and
``order=given``; their YAML in conf/workload sets both.

A proof is about what comes later, so neither history nor number of queries may tell that. Each docstring says what
bounds which rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from sim.errors import check_number
from sim.interface import FloatArray, IntArray
from sim.workload import Rows, Workload

MOST = 1_000_000  # of each size
N_COPIES = 5  # of each kind in the history


def adwords_triangular(n_deployments: int = 20, budget: int = 100, seed: int = 0) -> Workload:
    """Make the upper-triangular AdWords instance, on which no online rule has more than 1 - 1/e of the optimum.

    ``n_deployments`` rounds of ``budget`` queries. In round r (from 0) deployments r, r + 1, ... bid, each 1 USD; which
    deployment has which number is drawn at random, so no rule can tell in a round which will bid later on. A bid has
    quality 1 and cost 1, no bid has quality 0 and cost 0: value is spend. In hindsight round r goes to deployment r and
    every budget is used up.

    The history is another such instance, with numbers drawn anew: it tells what kind of instance this is, and of who
    drops out when it tells nothing. A query tells its bids on arrival, as in the AdWords model
    (``Workload.tells_on_arrival``). The bound is for the mean over relabellings, of rules of every kind.

    Mehta, Saberi, Vazirani and Vazirani, "AdWords and generalized online matching", JACM 54(5), 2007.

    Parameters
    ----------
    n_deployments : int
        1 or more; the bound 1 - 1/e is for many.
    budget : int
        Of each deployment in USD, so also in bids: 1 / delta where budgets are 1 and bids delta.
    seed : int
        Of the relabelling.

    Raises
    ------
    ValueError
        If a size is below 1.
    """
    check_sizes({"n_deployments": n_deployments, "budget": budget})
    rng = np.random.default_rng(seed)
    number, number_of_another = rng.permutation(n_deployments), rng.permutation(n_deployments)
    of_round = np.arange(n_deployments)[:, None]
    bids, others = ((drawn >= of_round).astype(np.float64) for drawn in (number, number_of_another))
    rounds = [f"round-{r + 1}" for r in range(n_deployments)]
    arriving = np.repeat(np.arange(n_deployments), budget)
    told = of_kinds(rounds, quality=others, cost_usd=others, arriving=arriving).history
    return replace(
        of_kinds(rounds, quality=bids, cost_usd=bids, arriving=arriving), history=told, tells_on_arrival=True
    )


def greedy_half(budget: int = 100) -> Workload:
    """Make the AdWords instance on which greedy has 1/2: queries that both of two can serve, then some for the first.

    ``budget`` queries that both bid 1 USD on, then as many that only the first bids on. Greedy sees a tie, takes the
    first and has nothing left for the second half; in hindsight the first half goes to the second deployment. Value is
    spend, as in ``adwords_triangular``.

    The history has queries that only the second bids on as well, as many, so it does not tell who will stay. The 1/2 is
    of greedy with ties to the lowest index. A rule that treats the two alike, as balance does, has at most 3/4 (the
    triangle of two). The instance says nothing of a rule that prefers the second by its index: against that one it is
    the other way round.

    Parameters
    ----------
    budget : int
        Of each deployment in USD, so also in bids.

    Raises
    ------
    ValueError
        If the budget is below 1.
    """
    check_sizes({"budget": budget})
    bids = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    names = ["both", "first-only", "second-only"]
    return of_kinds(names, quality=bids, cost_usd=bids, arriving=np.repeat([0, 1], budget))


def rising_density(levels: int = 8, budget: int = 100, stop: int | None = None, seed: int = 0) -> Workload:
    """Make the online knapsack on which every threshold is wrong for some ending: ever better queries, then no more.

    One deployment. At level l = 1, 2, ... come ``budget`` queries of 1 USD and quality 2^(l - levels), enough to use
    the budget up; after level ``stop`` nothing of worth comes. Quality per USD is L = 2^(1 - levels) first and would be
    U = 1 at the last level: a rule that spends much early misses what is worth more; one that waits may wait in vain.

    Rules know how many queries will come, and the theorem's do not; so queries of quality 0 and 1 USD follow, until
    there are as many as if all levels had come. The history has every level and those, whatever the stop.

    No rule has more than 2 / (levels + 1) of the optimum at every stop: a share r of it takes r of the budget at the
    first level and r / 2 at each later one. With finer steps from L to U that falls to 1 / (ln(U / L) + 1), the bound
    of Zhou, Chakrabarty and Lukose, "Budget constrained bidding in keyword auctions and online knapsack problems",
    WINE 2008.

    Parameters
    ----------
    levels : int
        How many there might be; the history has all of them.
    budget : int
        In USD, so also in queries.
    stop : int or None
        The last level that comes, from 1 to ``levels``; None: drawn at random.
    seed : int
        Of that draw.

    Raises
    ------
    ValueError
        If a size is below 1 or ``stop`` is no level.
    """
    check_sizes({"levels": levels, "budget": budget})
    drawn = int(np.random.default_rng(seed).integers(1, levels + 1))
    last = drawn if stop is None else stop
    if not 1 <= last <= levels:
        raise ValueError(f"workload.stop is {stop}; it must be from 1 to {levels}, or null to draw it")
    quality = np.append(np.exp2(np.arange(1.0 - levels, 1.0)), 0.0)[:, None]
    names = [*(f"level-{level + 1}" for level in range(levels)), "worthless"]
    coming = [*range(last), *[levels] * (levels - last)]
    return of_kinds(names, quality, np.ones_like(quality), arriving=np.repeat(coming, budget))


def long_then_short(n_long: int = 400, budget: int = 100, length: int = 10, worth: float = 0.5) -> Workload:
    """Make a knapsack whose first queries are long and of modest worth, and whose budget is just enough for the rest.

    One deployment. ``n_long`` queries cost ``length`` USD and have quality ``worth``; then ``budget`` queries cost
    1 USD and have quality 1. In hindsight (where worth < length) the budget is for the short ones.

    It separates three ways to spend. A rule that serves what fits spends all on budget / length long ones: worth /
    length of the optimum. A rule that paces by the horizon gives the long ones their share of the *queries*, here 4 in
    5, and keeps about 1 / 5 for the short ones. A rule that asks for more quality per USD as the budget shrinks spends
    1 / (ln(U / L) + 1) on the long ones, whatever their number. In random order pacing is right, near the optimum.

    The instance is this project's, after the two kinds of items of textbook knapsack bounds. It bounds no rule: the
    history has both kinds, and a rule that waits for the short ones has the optimum.

    Parameters
    ----------
    n_long : int
        At least budget / length of them can use the budget up.
    budget : int
        In USD, so also in short queries.
    length : int
        Cost of a long query in USD.
    worth : float
        Quality of a long query, above 0 and at most 1.

    Raises
    ------
    ValueError
        If a size is below 1 or ``worth`` out of range.
    """
    check_sizes({"n_long": n_long, "budget": budget, "length": length})
    if not 0 < worth <= 1:
        raise ValueError(f"workload.worth is {worth}; it must be above 0 and at most 1")
    quality, cost_usd = np.array([[worth], [1.0]]), np.array([[float(length)], [1.0]])
    return of_kinds(["long", "short"], quality, cost_usd, arriving=np.repeat([0, 1], [n_long, budget]))


def of_kinds(names: Sequence[str], quality: FloatArray, cost_usd: FloatArray, arriving: IntArray) -> Workload:
    """Make a workload of few kinds of queries.

    Parameters
    ----------
    names : sequence of str (n_kinds,)
    quality, cost_usd : arrays (n_kinds, n_deployments)
    arriving : array (n_queries,)
        The kind of each query, in the order in which they come.
    """
    n_kinds, n_deployments = quality.shape

    def rows(kinds: IntArray) -> Rows:
        return Rows(
            embeddings=np.eye(n_kinds, dtype=np.float32)[kinds],
            input_tokens=np.full(len(kinds), 100, dtype=np.int64),
            quality=quality[kinds],
            cost_usd=cost_usd[kinds],
            source=np.array(names, dtype=object)[kinds],
            expected_quality=quality[kinds],  # nothing is left to chance
        )

    known = np.repeat(np.arange(n_kinds), N_COPIES)
    models = tuple(f"deployment-{k + 1:02d}" for k in range(n_deployments))
    return Workload(models, rows(known), rows(arriving))


def check_sizes(sizes: Mapping[str, int]) -> None:
    """Raise ValueError for the first size below 1, or far beyond what a proof needs, by its name."""
    for name, size in sizes.items():
        check_number(f"workload.{name}", size, least=1, most=MOST)
