"""Choose between a small and a large model for each prompt by what its answers have cost so far."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from policies.parts.named_deployments import check_pair, pair_of
from sim.errors import check_number
from sim.interface import Decision, Feedback, Policy, Query, Setting, State

KEY_BYTES = 16  # of a prompt's digest


class Multiplexed(Policy):
    """The small model first, then the large one if answers to this prompt have cost less there on average.

    The selector of Zhu and others 2023 (arXiv 2306.02003), who learn from the requests which of two models is the
    cheaper for each, and put a cache before both (``cache=least_expected_cost``). In their code a visit reveals what
    the large model would have cost, whether or not it was asked, so the rule needs no exploration: the large model is
    taken as soon as its mean is known and lower. Here a cost is known only where it was paid, and a large model that is
    never asked would never be known. So after the small model each prompt tries the large one ``tries`` times, by
    which the rule is ours; with 0 it is theirs to the letter, and stays with the small model for ever.

    Two queries have the same prompt if their embeddings and lengths are the same. The rule looks at costs alone, as
    theirs does: what a wrong answer costs must be in the cost. Costs in budgets of different units (USD and tokens)
    are not comparable; this rule compares them all the same. The other model is the next choice.

    Parameters
    ----------
    deployments : sequence of str or None
        The small model and the large one. None for the cheapest and the best on average in the history; if it is both,
        it gets every query.
    tries : int
        How often the large model is asked for a prompt, after the small one, before the means decide.

    Raises
    ------
    ValueError
        If the deployments are not two that exist, or ``tries`` is below 0.
    """

    def __init__(self, deployments: Sequence[str] | None = None, tries: int = 1) -> None:
        check_number("tries", tries, least=0)
        check_pair(deployments)
        self._names = deployments
        self._tries = tries

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Find both models, and forget all prompts."""
        self._small, self._large = pair_of(setting, self._names)
        self._paid: dict[
            bytes, dict[int, tuple[int, float]]
        ] = {}  # by prompt and model: how many answers, and their sum

    def lacks(self, setting: Setting) -> str | None:
        """Say so where no prompt comes twice."""
        return None if setting.signals.repeats else "no prompt comes twice"

    def decide(self, query: Query, state: State) -> Decision:
        """Choose by the means, once both are known."""
        small, large = self._small, self._large
        if small == large:
            return Decision(small)
        paid = self._paid.get(prompt_of(query), {})
        n_small, small_sum = paid.get(small, (0, 0.0))
        n_large, large_sum = paid.get(large, (0, 0.0))
        if n_small and n_large < self._tries:
            return Decision(large, (small,), explores=True)
        if n_small and n_large and large_sum / n_large < small_sum / n_small:
            return Decision(large, (small,))
        return Decision(small, (large,))

    def learn(self, feedback: Feedback) -> None:
        """Add what an answer has cost to its prompt's."""
        paid = self._paid.setdefault(prompt_of(feedback.query), {})
        n, total = paid.get(feedback.deployment, (0, 0.0))
        paid[feedback.deployment] = n + 1, total + feedback.cost


def prompt_of(query: Query) -> bytes:
    """Return what tells a prompt from others: a digest of its embedding and its length."""
    text = np.ascontiguousarray(query.embedding).tobytes() + query.input_tokens.to_bytes(8, "little")
    return hashlib.blake2b(text, digest_size=KEY_BYTES).digest()
