"""Values held to annotations: each key by its own, whatever is new."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hydra import initialize_config_module

from sim.cli.configuration import configure
from sim.cli.main import main
from sim.cli.settings import hints
from sim.cli.types import check
from sim.deployment import Distribution

CONSTANT = {"_target_": "sim.distributions.Constant", "value_s": 1.0}


@dataclass
class Thing:
    """What a user might write."""

    count: int
    share: float = float("nan")
    when: Distribution | None = None


def thing(**values: Any) -> dict[str, Any]:
    return {"_target_": f"{__name__}.Thing", **values}


RIGHT: dict[str, tuple[Any, Any]] = {
    "a whole number for a number": (3, float),
    "an infinity that the constructor may refuse": (float("inf"), float),
    "no number where the default is none": (thing(count=1, share=float("nan")), Any),
    "null where it may be": (None, int | None),
    "a node for a protocol": (thing(count=1, when=CONSTANT), Any),
    "a partial for a function": ({**CONSTANT, "_partial_": True}, Callable[..., Any]),
    "a mapping of numbers": ({"a": 1.5}, Mapping[str, float]),
    "a list of lists": ([[1], []], Sequence[Sequence[int]]),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_an_annotation_says_is_taken(case: str) -> None:
    check(*RIGHT[case], "key", {})


WRONG: dict[str, tuple[Any, Any, str]] = {
    "true for a number": (True, float, "key is true; it must be a number"),
    "text for a truth value": ("no", bool, "key is 'no'; it must be true or false"),
    "a number for a truth value": (1, bool, "key is 1; it must be true or false"),
    "a fraction for a count": (1e2, int, "key is 100.0; it must be a whole number; write 100"),
    "no number": (float("nan"), float | None, "key is nan; it must be a number"),
    "no number in a list": ([1.0, float("nan")], Sequence[float], r"key\[1\] is nan"),
    "null in a list": ([None], Sequence[int], r"key\[0\] is null; it must be a whole number"),
    "a scalar for a list": ("a", Sequence[str] | None, r"key is 'a'; it must be a list, such as \[a\] or null"),
    "a number for a distribution": (thing(count=1, when=5), Any, "key.when is 5; it must be a distribution, as"),
    "another thing for a distribution": (
        thing(count=1, when=thing(count=2)),
        Any,
        "key.when makes a Thing, which is not",
    ),
    "values inside a partial": (thing(count="a", _partial_=True), Any, "key.count is 'a'; it must be a whole number"),
    "what is missing": (thing(), Any, "key.count has no value; give key.count=VALUE"),
    "a key too many": (thing(count=1, shar=1), Any, "unknown key 'key.shar'; did you mean 'key.share'"),
    "a class that is not there": ({"_target_": "sim.nothing"}, Any, "key._target_ is 'sim.nothing'; there is no such"),
    "a partial for a thing": ({**CONSTANT, "_partial_": True}, Distribution, "key is _partial_; it must be"),
    "a number too large": (10**400, int, "key is a whole number of 1329 bits; it must be at most"),
    "a seed below 0": (-1, int, "key.seed is -1; it must be at least 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_anything_else_is_refused_by_its_whole_key(case: str) -> None:
    value, hint, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        check(value, hint, "key.seed" if "seed" in message else "key", {})


@pytest.mark.parametrize("verb", ["run", "compare", "ratio", "explain", "plan", "sweep", "validate", "diff", "report"])
def test_every_key_of_every_verb_has_an_annotation(verb: str) -> None:
    with initialize_config_module("conf", version_base="1.3"):
        assert set(configure(verb, [])) <= set(hints())


def test_each_point_of_a_sweep_is_held_to_them() -> None:
    from sim.cli.sweeping.axes import points

    with (
        initialize_config_module("conf", version_base="1.3"),
        pytest.raises(ValueError, match=r"fleet\.size is true; it must be a whole number or null"),
    ):
        points("sweep", ["fleet.size=2,true"])


def test_a_node_is_kept_beside_a_mapping_whose_names_are_the_users_own(capsys: pytest.CaptureFixture[str]) -> None:
    shared = ["budget=shared", "budget.amount_by_account={both: 1}", "budget.account_by_deployment={gpt-4: both}"]
    node = "fleet.balancer={_target_: sim.world.stations.balancer.PowerOfTwo}"
    assert main(["run", "--cfg", "fleet=slots", *shared, node]) == 0
    said = capsys.readouterr().out
    assert "_target_: sim.world.stations.balancer.PowerOfTwo" in said
    assert "gpt-4: both" in said
