"""Puts a shipped policy, or one of your own, behind litellm's Router; docs/live.md has a quick start.

It joins ``sim.live`` with the readers of tables. It needs the extra litellm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

try:
    from litellm.router import Router
except ImportError as error:
    raise ImportError("switchyard.live needs litellm: pip install 'llm-switchyard[litellm]'") from error
import yaml

from scenarios.readers.embeddings import HASHING, hashed
from scenarios.recorded.truth import columns_of, history_rows
from sim.cli import api
from sim.errors import unknown
from sim.interface import EmbeddingArray, Policy
from sim.live.gateway import Gateway
from sim.live.of_litellm import entries, ids_of, prices_usd
from sim.live.record import Origin
from sim.live.settings import setting
from sim.live.through_litellm import Behind, Embed, Score

__all__ = ["Behind", "attach", "open_yaml"]

KEYS = (
    *("group", "policy", "history", "embeddings", "models", "budgets_usd", "expected_queries", "record", "shadow"),
    *("otherwise", "seed"),
)


def attach(
    router: Router,
    group: str,
    policy: str | Policy,
    history: str,
    *,
    expected_queries: int,
    embed: Embed | None = None,
    embeddings: str | None = None,
    models: Mapping[str, str] | None = None,
    budgets_usd: Mapping[str, float] | None = None,
    record: str | None = None,
    shadow: bool = False,
    otherwise: str | None = None,
    score: Score | None = None,
    seed: int = 0,
) -> Behind:
    """Let a policy route a model group of a router from now on, or look on in shadow mode.

    Parameters
    ----------
    router : Router
    group : str
        The ``model_name`` that clients ask for; its deployments are told apart by ``model_info.id``.
    policy : str or Policy
        A policy of ``conf/policy``, with words that change it, such as ``port policy.port.eps=0.05``; or an object.
    history : str
        A table in the unified schema, from which the policy's estimator learns. Where it has output tokens, they are
        charged at the prices of the deployments; otherwise its costs count.
    expected_queries : int
        How many are likely to come until ``close``; policies that pace a budget go by it.
    embed : callable or None
        From a text to its embedding, by what embedded the history; None for hashed words.
    embeddings : str or None
        Of the history: a ``.npy`` file, or ``hashing``; None for hashed words of its prompts.
    models : mapping of str to str or None
        The model of the table behind each deployment, by ``model_info.id``; of one that is not named, the column with
        its id, or else with its litellm model, with or without the provider.
    budgets_usd : mapping of str to float or None
        What deployments may spend until ``close``; one that is not named has no limit.
    record : str or None
        The file to write, which must not be there.
    shadow : bool
        Whether the router goes on as it did, and the record says what the policy would have done.
    otherwise : str or None
        The deployment that takes a query when the policy fails, declines, or finds no budget; None refuses it.
    score : callable or None
        From litellm's keywords of a call and its response to a score in [0, 1], or None.
    seed : int
        Of the policy's random draws.

    Returns
    -------
    Behind
        Its ``scored`` takes scores that come later, its ``close`` ends the day.

    Raises
    ------
    ValueError
        If the group, a model, price, budget or the history cannot be right, or the policy needs several calls a query.
    FileExistsError
        If the record is there already.
    """
    names = ids_of(router, group)
    for what, given in (("models", models), ("budgets_usd", budgets_usd)):
        for name in given or ():
            if name not in names:
                raise ValueError(unknown(f"deployment in {what}", name, names))
    listed = entries(router, group)
    prices = [prices_usd(listed[name]) for name in names]
    columns = columns_in(history, {name: str(listed[name]["litellm_params"]["model"]) for name in names}, models or {})
    if otherwise is not None and otherwise not in names:
        raise ValueError(unknown("deployment in otherwise", otherwise, names))
    if embed is None and embeddings not in (None, HASHING):
        raise ValueError(f"embeddings is {embeddings}; give the function that made them as embed")
    if embed is not None and embeddings in (None, HASHING):
        raise ValueError("embed is given; give the .npy file of what it made of the history's prompts as embeddings")
    known = history_rows(history, embeddings or HASHING, columns, prices)
    chosen = policy if isinstance(policy, Policy) else named(policy)
    gateway = Gateway(
        chosen,
        setting(names, [float((budgets_usd or {}).get(name, math.inf)) for name in names], known, expected_queries),
        record=record,
        shadow=shadow,
        refuses=otherwise is None,
        seed=seed,
        origin=Origin(
            policy if isinstance(policy, str) else type(policy).__name__,
            str(Path(history).resolve()) if Path(history).exists() else history,
            HASHING if embeddings in (None, HASHING) else str(Path(str(embeddings)).resolve()),
            columns,
            prices,
        ),
    )
    behind = Behind(router, group, gateway, embed or by_words, score, otherwise)
    behind.begin()
    return behind


def open_yaml(path: str, embed: Embed | None = None, score: Score | None = None) -> tuple[Router, Behind]:
    """Return the router that a YAML describes, with the policy behind it.

    Parameters
    ----------
    path : str
        A file of the keys ``model_list`` and, optionally, ``router_settings``, as litellm has them, and ``switchyard``
        with the parameters of ``attach``.
    embed, score : callable or None
        See ``attach``.

    Raises
    ------
    ValueError
        If a key is unknown or missing; see ``attach`` besides.
    OSError
        If there is no such file.
    """
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    for key in ("model_list", "switchyard"):
        if not isinstance(content, dict) or key not in content:
            raise ValueError(f"{path} has no {key}; it needs model_list and switchyard")
    given: dict[str, Any] = content["switchyard"] or {}
    for key in given:
        if key not in KEYS:
            raise ValueError(unknown(f"key under switchyard in {path},", key, KEYS))
    for key in ("group", "policy", "history", "expected_queries"):
        if key not in given:
            raise ValueError(f"{path} has no {key} under switchyard")
    router = Router(model_list=content["model_list"], **(content.get("router_settings") or {}))
    return router, attach(router, embed=embed, score=score, **given)


def by_words(text: str) -> EmbeddingArray:
    """Return the embedding (512,) of a text by hashed words, as ``workload.embeddings=hashing`` makes it."""
    vector: EmbeddingArray = hashed([text])[0]
    return vector


def named(words: str) -> Policy:
    """Return the policy of ``conf/policy`` that a text names first, as its other words change it."""
    name, *changes = words.split()
    found = api.policies(name, *changes)
    return next(iter(found.values()))


def columns_in(history: str, models: Mapping[str, str], given: Mapping[str, str]) -> Sequence[str]:
    """Return the model of the history behind each deployment; raise ValueError for one that has none.

    Parameters
    ----------
    history : str
    models : mapping of str to str
        litellm's model of each deployment.
    given : mapping of str to str
    """
    columns, found = columns_of(history), []
    for name, model in models.items():
        asked = [given[name]] if name in given else [name, model, model.partition("/")[2]]
        known = [column for column in asked if column in columns]
        if not known:
            scores = [column for column in columns if f"{column}|total_cost" in columns]
            raise ValueError(
                f"{history} has no model for deployment {name!r}, neither {' nor '.join(map(repr, asked))}; "
                f"models={{{name}: MODEL}} names one of {', '.join(scores)}"
            )
        found.append(known[0])
    return found
