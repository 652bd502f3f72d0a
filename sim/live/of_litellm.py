"""Reads what litellm's Router has and is asked: its deployments, their prices, the text of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import litellm
from litellm.router import Router

from sim.errors import unknown


def text_of(messages: Sequence[Mapping[str, Any]] | None, given: object = None) -> str:
    """Return what is embedded of a request: the text of all its messages, a line each, or of its ``input``."""
    if not messages:
        return given if isinstance(given, str) else "\n".join(map(str, given)) if isinstance(given, list) else ""
    texts = []
    for message in messages:
        content = message.get("content") or ""
        parts = [{"text": content}] if isinstance(content, str) else content
        texts += [part["text"] for part in parts if isinstance(part, Mapping) and isinstance(part.get("text"), str)]
    return "\n".join(texts)


def ids_of(router: Router, group: str) -> list[str]:
    """Return the deployments of a group by ``model_info.id``; raise ValueError for a group that is not there."""
    found = entries(router, group)
    if not found:
        names = sorted({str(one["model_name"]) for one in router.get_model_list() or ()})
        raise ValueError(unknown("model group of the router", group, names))
    return list(found)


def entries(router: Router, group: str) -> dict[str, Any]:
    """Return the entries of the router's model list in a group, by ``model_info.id``."""
    return {str(one["model_info"]["id"]): one for one in router.get_model_list(model_name=group) or ()}


def prices_usd(entry: Mapping[str, Any]) -> tuple[float, float]:
    """Return what a deployment charges for an input and an output token: by its own entry, else by litellm's cost map.

    Raises
    ------
    ValueError
        If neither knows.
    """
    names = ("input_cost_per_token", "output_cost_per_token")
    model = str(entry["litellm_params"]["model"])
    try:
        listed: Mapping[str, Any] = litellm.get_model_info(model)  # type: ignore[assignment]
    except Exception:  # litellm raises plain exceptions for a model that it does not know
        listed = {}
    for source in (entry["litellm_params"], entry["model_info"], listed):
        price_in, price_out = (source.get(name) for name in names)
        if price_in is not None and price_out is not None:
            return float(price_in), float(price_out)
    raise ValueError(
        f"litellm knows no price of {model!r}; give {' and '.join(names)} in the litellm_params of {entry_id(entry)!r}"
    )


def entry_id(entry: Mapping[str, Any]) -> str:
    """Return the name of a deployment."""
    return str(entry["model_info"]["id"])
