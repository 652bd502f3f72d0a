"""Puts a policy behind litellm's Router: as its custom routing strategy, or in its shadow. It needs the extra litellm.

litellm asks the strategy for a deployment before each call, retries included, and tells loggers of each call's end. The
strategy marks the call's metadata with the number of its decision, by which the logger knows it again.
"""

from __future__ import annotations

import logging
import random
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import litellm
from litellm.integrations.custom_logger import CustomLogger
from litellm.router import Router
from litellm.types.router import CustomRoutingStrategyBase

from sim.errors import unknown
from sim.interface import EmbeddingArray
from sim.live.decided import Routed
from sim.live.gateway import Gateway
from sim.live.of_litellm import entries, prices_usd, text_of

LOG = logging.getLogger(__name__)
MOST_REMEMBERED = 100_000  # answers that may still be scored
CALLBACK_LISTS = (
    *("callbacks", "input_callback", "success_callback", "failure_callback"),
    *("_async_success_callback", "_async_failure_callback"),
)
"""Where litellm puts a logger that is added once."""
Embed = Callable[[str], "EmbeddingArray | Sequence[float]"]
Score = Callable[[Mapping[str, Any], Any], "float | None"]


class RefusedError(Exception):
    """The policy declined a query, or no budget of its choices pays for it."""


class Behind(CustomRoutingStrategyBase):
    """A gateway's policy behind one model group of a router; litellm calls its methods.

    Parameters
    ----------
    router : Router
    group : str
        The ``model_name`` that clients ask for. Requests for another group go to any of its deployments at random.
    gateway : Gateway
        Its deployments are those of the group, by ``model_info.id``.
    embed : callable
        From a text to its embedding (dim,), by what embedded the history.
    score : callable or None
        From litellm's keywords of a call and its response to a score in [0, 1], or None; asked when an answer comes.
    otherwise : str or None
        The deployment that takes queries when the policy fails, declines, or has no budget left.
    """

    def __init__(
        self,
        router: Router,
        group: str,
        gateway: Gateway,
        embed: Embed,
        score: Score | None = None,
        otherwise: str | None = None,
    ) -> None:
        self._router = router
        self._group = group
        self.gateway = gateway
        self._names = [info.name for info in gateway.setting.fleet]
        self._embed = embed
        self._score = score
        if otherwise is not None and otherwise not in self._names:
            raise ValueError(unknown("deployment in otherwise", otherwise, self._names))
        self._otherwise = None if otherwise is None else self._names.index(otherwise)
        self._answers: OrderedDict[str, int] = OrderedDict()
        self._mark = f"switchyard:{group}:{uuid.uuid4().hex}"  # of this day and no other
        self._logger = Ends(self, self._mark)

    # --- the day ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Hear of the ends of calls from now on; and route them, unless in shadow mode."""
        litellm.logging_callback_manager.add_litellm_callback(self._logger)
        if self.gateway.shadow:
            return
        if hasattr(self._router, "register_plugin"):
            self._router.register_plugin(self)
        else:
            self._router.set_custom_routing_strategy(self)

    def close(self) -> None:
        """End the day: hear no more, and write no more. A strategy stays in place until another one is set."""
        for name in CALLBACK_LISTS:
            callbacks = getattr(litellm, name, [])
            if self._logger in callbacks:
                callbacks.remove(self._logger)
        self._logger.behind = None
        self.gateway.close()

    def scored(self, response_id: str, score: float) -> None:
        """Tell what an answer is worth, in [0, 1], by the ``id`` of litellm's response.

        Raises
        ------
        KeyError
            If there is no such answer, or it has its score.
        """
        if response_id not in self._answers:
            raise KeyError(f"there is no answer {response_id!r} that waits for a score")
        self.gateway.scored(self._answers.pop(response_id), score)

    # --- what litellm asks --------------------------------------------------------------------------------------------

    async def async_get_available_deployment(  # type: ignore[override]  # it is annotated to return nothing
        self,
        model: str,
        messages: list[dict[str, str]] | None = None,
        input: str | list[Any] | None = None,
        specific_deployment: bool | None = False,
        request_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Return the entry of the router's model list that takes a call."""
        return self._pick(model, messages, input, request_kwargs)

    def get_available_deployment(  # type: ignore[override]  # likewise
        self,
        model: str,
        messages: list[dict[str, str]] | None = None,
        input: str | list[Any] | None = None,
        specific_deployment: bool | None = False,
        request_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Return the entry of the router's model list that takes a call."""
        return self._pick(model, messages, input, request_kwargs)

    def _pick(self, model: str, messages: Any, given: Any, request: dict[str, Any] | None) -> Any:
        found = entries(self._router, model)
        if model != self._group or self._logger.behind is None:
            return self._any_of(found, model)
        routed = self.route(messages, given, found, self._otherwise)
        if routed.served is None:
            why = routed.error or ("the policy declined it" if routed.chosen is None else "no choice could take it")
            raise RefusedError(f"query {routed.id} for {model!r} is refused: {why}")
        if request is not None:
            # A dictionary of its own for each attempt, so that a retry does not change the mark of the one before.
            request["metadata"] = {**(request.get("metadata") or {}), self._mark: routed.id}
        return found[self._names[routed.served]]

    def route(self, messages: Any, given: Any, found: Mapping[str, Any], own: int | None) -> Routed:
        """Ask the policy about a request, with what there is in the group now."""
        away = self._cooling(found)
        available = [name in found and name not in away for name in self._names]
        text = text_of(messages, given)
        model = str(next(iter(found.values()))["litellm_params"]["model"]) if found else ""
        tokens = litellm.token_counter(model=model, messages=messages) if messages else None
        if tokens is None:
            tokens = litellm.token_counter(model=model, text=text)
        return self.gateway.route(self._embed(text), int(tokens), available, own)

    def _any_of(self, found: Mapping[str, Any], model: str) -> Any:
        away = self._cooling(found)
        open_ids = [name for name in found if name not in away] or list(found)
        if not open_ids:
            raise ValueError(f"the router has no deployment of {model!r}")
        return found[random.choice(open_ids)]

    def _cooling(self, found: Mapping[str, Any]) -> set[str]:
        """Return the deployments that litellm has put aside after failures."""
        health = getattr(self._router, "health", None)
        cooldowns = health().cooldowns if callable(health) else self._router.cooldown_cache
        return {str(name) for name, _ in cooldowns.get_active_cooldowns(list(found), None)}

    # --- what litellm tells -------------------------------------------------------------------------------------------

    def beside(self, model: str, messages: Any, kwargs: dict[str, Any]) -> None:
        """Take note, in shadow mode, of a call that is about to be made."""
        params = kwargs.get("litellm_params") or {}
        metadata = params.get("metadata") or {}
        served = str((params.get("model_info") or {}).get("id"))
        if not self.gateway.shadow or metadata.get("model_group") != self._group or served not in self._names:
            return
        routed = self.route(messages, None, entries(self._router, self._group), self._names.index(served))
        params[self._mark] = routed.id  # of this attempt alone, while attempts share their metadata

    def ended(self, kwargs: Mapping[str, Any], response: Any, took_s: float) -> None:
        """Take note of an answer."""
        number = self._number_of(kwargs)
        if number is None:
            return
        usage = getattr(response, "usage", None)
        score = None if self._score is None else self._score(kwargs, response)
        tokens = getattr(usage, "completion_tokens", None)
        self.gateway.answered(number, self._cost_usd(kwargs, usage), tokens, score, took_s)
        if score is None and getattr(response, "id", None):
            self._answers[str(response.id)] = number
            if len(self._answers) > MOST_REMEMBERED:
                self._answers.popitem(last=False)

    def failed(self, kwargs: Mapping[str, Any]) -> None:
        """Take note of a call that failed."""
        number = self._number_of(kwargs)
        if number is not None:
            self.gateway.failed(number)

    def _number_of(self, kwargs: Mapping[str, Any]) -> int | None:
        """Return the number of the decision that a call was made by; None for a call of somebody else."""
        params = kwargs.get("litellm_params") or {}
        number = params.get(self._mark, (params.get("metadata") or {}).get(self._mark))
        return number if isinstance(number, int) else None

    def _cost_usd(self, kwargs: Mapping[str, Any], usage: Any) -> float:
        """Return what a call cost: litellm's figure, or tokens at the deployment's prices where it has none."""
        cost = kwargs.get("response_cost")
        if cost is not None:
            return float(cost)
        served = str(((kwargs.get("litellm_params") or {}).get("model_info") or {}).get("id"))
        entry = entries(self._router, self._group).get(served)
        if usage is None or entry is None:
            return 0.0
        price_in, price_out = prices_usd(entry)
        return float(usage.prompt_tokens * price_in + usage.completion_tokens * price_out)


class Ends(CustomLogger):
    """Passes on what litellm logs; what goes wrong here goes to the log and never to a client."""

    def __init__(self, behind: Behind, mark: str) -> None:
        super().__init__()
        self.behind: Behind | None = behind
        self.mark = mark  # public, as litellm takes loggers of one class for one unless such a text tells them apart

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        """Hear of a call that is about to be made."""
        self._pass_on(lambda behind: behind.beside(model, messages, kwargs))

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Hear of an answer to a synchronous call."""
        took_s = (end_time - start_time).total_seconds()
        self._pass_on(lambda behind: behind.ended(kwargs, response_obj, took_s))

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Hear of an answer."""
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Hear of a synchronous call that failed."""
        self._pass_on(lambda behind: behind.failed(kwargs))

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Hear of a call that failed."""
        self.log_failure_event(kwargs, response_obj, start_time, end_time)

    def _pass_on(self, what: Callable[[Behind], None]) -> None:
        if self.behind is None:
            return
        try:
            what(self.behind)
        except Exception:
            LOG.exception("switchyard could not take note of a call")
