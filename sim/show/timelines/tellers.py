"""Says when policies go broke, and which three of many tell the story of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sim.show.words import listed

PARTS, FEWEST = 50, 3  # a part of the arrivals, and how many it has at least
LATE = 0.95  # of the arrivals, after which money may end: it is there to be spent
BROKE = "Broke: more than half of the next fiftieth of the queries find no money, before the last twentieth begins."


def broke_after(requests: pd.DataFrame) -> int | None:
    """Return after how many arrivals a policy goes broke; None if it never does.

    It is broke from the first arrival that is refused for want of money as more than half of the next fiftieth of the
    arrivals are (it among them, of 3 at least). Money that lasts until the last twentieth of the arrivals lasts, as it
    is there to be spent.

    Parameters
    ----------
    requests : DataFrame
        Of one policy in one replication: ``id``, in order of arrival, and ``fate``.

    >>> broke_after(pd.DataFrame({"id": range(4), "fate": ["served", "exhausted", "served", "exhausted"]}))
    1
    """
    refused = (requests[["id", "fate"]].sort_values("id", kind="stable")["fate"] == "exhausted").to_numpy()
    width = max(FEWEST, len(refused) // PARTS)
    before = np.append(0, np.cumsum(refused))
    until = np.minimum(np.arange(len(refused)) + width, len(refused))
    within = before[until] - before[:-1]  # of the arrival and those after it
    found = np.flatnonzero(refused & (within > width / 2))
    return int(found[0]) if len(found) and found[0] < LATE * len(refused) else None


def tellers(means: Mapping[str, float], broke: Mapping[str, int | None]) -> list[str]:
    """Return up to three policies, the best first: those of which one figure tells what money does.

    These are the best; the one that goes broke first, or the last in standing if none does; and of the others that go
    broke (of all others, if none does) the one that is nearest to the middle between those two.

    Parameters
    ----------
    means : mapping of str to float
        What the study asks about, the best policy first.
    broke : mapping of str to int or None
        From ``broke_after``.

    >>> tellers({"a": 9.0, "b": 8.0, "c": 4.0, "d": 1.0}, {"a": None, "b": 90, "c": 50, "d": 3})
    ['a', 'c', 'd']
    """
    names = list(means)
    if len(names) <= 3:
        return names
    best, others = names[0], names[1:]
    gone = {name: after for name in others if (after := broke[name]) is not None}
    first = min(gone, key=lambda name: gone[name]) if gone else others[-1]
    left = [name for name in others if name != first and name in gone] or [name for name in others if name != first]
    middle = (means[best] + means[first]) / 2
    third = min(left, key=lambda name: abs(means[name] - middle))
    return [name for name in names if name in (best, first, third)]


def told(shown: Sequence[str], broke: Mapping[str, int | None], n_arrivals: int) -> str:
    """Return what a figure of spending shows, as its title.

    >>> told(["a", "b"], {"a": None, "b": 24}, 4000)
    'b goes broke after 24 of 4,000 queries; the money of a lasts'
    """
    gone = sorted((after, name) for name in shown if (after := broke[name]) is not None)
    lasting = [name for name in shown if broke[name] is None]
    words: list[str] = []
    for after, name in gone:
        begins = f"{name} goes broke after " if not words else f"{name} after "
        words.append(begins + (f"{after:,} of {n_arrivals:,} queries" if not words else f"{after:,}"))
    of_gone = listed(words)
    of_lasting = f"the money of {listed(lasting)} lasts" if lasting else ""
    return "; ".join(filter(None, (of_gone, of_lasting)))
