"""Fleets from catalogues: where their numbers are from, what their tokens cost, and current prices."""

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from omegaconf import OmegaConf

from policies.balancing.least_loaded import LeastLoaded
from scenarios.arrivals import Deterministic
from scenarios.budgets import Unlimited
from scenarios.fleets import Catalogue, Listed
from scenarios.orders import given
from scenarios.prices import current_price
from scenarios.workloads.synthetic import ROUTERBENCH, synthetic
from sim.cli.main import main
from sim.deployment import Deployment, check_provenance
from sim.instance import Instance, realise
from sim.scenario import FleetRule, Scenario
from sim.study.oracles import EstimateCache
from sim.workload import Rows, Workload
from sim.world.record import frame
from sim.world.services.slots import Instant
from sim.world.world import simulate

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = ("fitted_servers", "hosted_api", "routerbench_2024", "selfhosted_a100", "selfhosted_h100", "sprout_2024")
MODELS_OF_2024 = tuple(model.name for model in ROUTERBENCH)

needs_prices = pytest.mark.skipif(
    importlib.util.find_spec("genai_prices") is None, reason="the optional package genai-prices is not installed"
)


def entries(name: str) -> list[dict[str, Any]]:
    """The entries of a catalogue, as its YAML has them."""
    fleet = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "fleet" / f"{name}.yaml"))
    assert isinstance(fleet, dict)
    return list(fleet["entries"])


ENTRIES = [pytest.param(entry, id=f"{name}-{entry['name']}") for name in CATALOGUES for entry in entries(name)]


def numbers(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every number of an entry by its path, provenance aside."""
    for key, value in node.items():
        if isinstance(value, dict) and key != "provenance":
            yield from numbers(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}", value


def configured_fleet(name: str) -> FleetRule:
    """The fleet of conf/fleet/NAME.yaml, serving at once where a service is not there yet."""
    with initialize_config_module("conf", version_base="1.3"):
        config = OmegaConf.to_container(compose("run", [f"fleet={name}"]).fleet)
    assert isinstance(config, dict)
    fleet: FleetRule = instantiate(OmegaConf.create(config), _convert_="all")
    return fleet


# --- every catalogue --------------------------------------------------------------------------------------------------


def test_every_catalogue_of_conf_is_tested_here() -> None:
    written = {path.stem for path in (ROOT / "conf" / "fleet").glob("*.yaml") if "fleets.Catalogue" in path.read_text()}
    assert written == {*CATALOGUES, "gpus_2026"}  # whose numbers are computed: tests/fleets/test_roofline.py


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_number_says_where_it_is_from(entry: dict[str, Any]) -> None:
    given_numbers = dict(numbers(entry))
    assert set(given_numbers) == set(entry["provenance"])
    for number, origin in entry["provenance"].items():
        check_provenance(number, origin)
        if "range" in origin:
            low, high = origin["range"]
            assert low <= given_numbers[number] <= high, number


def test_a_number_without_provenance_would_be_noticed() -> None:
    entry = {"replicas": 2, "service": {"slots": 4}, "provenance": {"replicas": {}}}
    assert dict(numbers(entry)).keys() - entry["provenance"].keys() == {"service.slots"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", CATALOGUES)
def test_every_catalogue_builds(name: str) -> None:
    models = MODELS_OF_2024 if name != "sprout_2024" else [entry["model"] for entry in entries(name)]
    fleet = configured_fleet(name).deployments(models, np.random.default_rng(0))
    assert len(fleet) >= 3
    assert all(deployment.provenance for deployment in fleet)
    assert {deployment.model for deployment in fleet} <= set(models)


@pytest.mark.parametrize("name", CATALOGUES)
def test_the_document_lists_every_entry(name: str) -> None:
    document = (ROOT / "docs" / "reference" / "fleets.md").read_text()
    for entry in entries(name):
        assert f"| {entry['name']} |" in document


def test_the_smallest_self_hosted_entries_meet_the_two_speeds_that_they_were_made_from() -> None:
    # RouteSim: output tokens a second of one sequence, and of a saturated batch.
    for gpu, alone, saturated in (("h100", 80, 3200), ("a100", 60, 2400)):
        service = entries(f"selfhosted_{gpu}")[0]["service"]
        base_s, each_s, slots = (service[key] for key in ("iteration_base_s", "iteration_per_sequence_s", "slots"))
        assert 1 / (base_s + each_s) == pytest.approx(alone, rel=0.005)
        assert slots / (base_s + slots * each_s) == pytest.approx(saturated, rel=0.005)


@pytest.mark.parametrize(
    ("catalogue", "number", "input_tokens", "expected_per_s"),
    [
        ("selfhosted_h100", 0, 0, 3200 / 512),  # RouteSim, saturated
        ("selfhosted_a100", 0, 0, 2400 / 512),
    ],
)
def test_an_overloaded_replica_serves_at_the_published_rate(
    catalogue: str, number: int, input_tokens: int, expected_per_s: float
) -> None:
    entry, n_queries = entries(catalogue)[number], 3000
    rows = Rows(
        embeddings=np.zeros((n_queries, 1), np.float32),
        input_tokens=np.full(n_queries, input_tokens),
        quality=np.ones((n_queries, 1)),
        cost_usd=np.zeros((n_queries, 1)),
        output_tokens=np.full((n_queries, 1), 512),
    )
    fleet = Listed([Deployment(entry["name"], "m", instantiate(entry["service"]))])
    workload = Workload(("m",), rows, rows)
    instance = realise(Scenario(workload, fleet, Unlimited(), Deterministic(60.0), given), 0, 0)
    estimates = EstimateCache().get(None, instance)
    requests = frame(simulate("all", LeastLoaded(), instance, estimates, np.random.default_rng(0)), instance)
    finished_at_s = np.sort(requests["finished_at_s"])
    assert 2000 / (finished_at_s[2500] - finished_at_s[500]) == pytest.approx(expected_per_s, rel=0.05)


# --- provenance -------------------------------------------------------------------------------------------------------

SURE = {"source": "a list", "as_of": "2024-01", "confidence": "high"}


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        ({"source": "a list", "confidence": "high"}, "the provenance of replicas of 'here' has no as_of"),
        ({**SURE, "source": " "}, "has no source"),
        ({**SURE, "confidence": "hihg"}, "unknown confidence of replicas of 'here', 'hihg'; did you mean 'high'"),
        ({**SURE, "rnage": [1, 2]}, "unknown key .* 'rnage'; did you mean 'range'"),
        ({**SURE, "range": [2, 1]}, r"the range of replicas of 'here' is \[2, 1\]"),
    ],
)
def test_provenance_must_say_enough(origin: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Deployment("here", "m", Instant(), replicas=2, provenance={"replicas": origin})


@pytest.mark.parametrize(
    ("numbers_", "message"),
    [
        ({"replicas": 0}, "replicas of 'here' is 0; it must be at least 1"),
        ({"price_per_hour_usd": -1.0}, "price_per_hour_usd of 'here' is -1.0"),
        ({"energy_j_per_token": float("nan")}, "energy_j_per_token of 'here' is nan"),
        ({"price_input_usd_per_million": 1.0}, "'here' has price_input_usd_per_million only"),
    ],
)
def test_a_deployment_refuses_numbers_that_cannot_be(numbers_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Deployment("here", "m", Instant(), **numbers_)


# --- prices per token -------------------------------------------------------------------------------------------------


def two_queries(output_tokens: list[list[int]] | None) -> Workload:
    """Two queries of 10 and 20 input tokens that the table says cost 7 USD each, whoever answers."""
    rows = Rows(
        embeddings=np.eye(2, dtype=np.float32),
        input_tokens=np.array([10, 20]),
        quality=np.ones((2, 2)),
        cost_usd=np.full((2, 2), 7.0),
        output_tokens=None if output_tokens is None else np.array(output_tokens),
    )
    return Workload(("a", "b"), rows, rows)


def drawn(workload: Workload, fleet: FleetRule, unit: str = "usd") -> Instance:
    """One replication with these deployments and no budgets."""
    return realise(Scenario(workload, fleet, Unlimited(unit=unit), Deterministic(1.0), given), 0, 0)


PRICED = Deployment(
    "priced", "b", Instant(), price_input_usd_per_million=100_000.0, price_output_usd_per_million=500_000.0
)


def test_a_query_costs_what_its_true_tokens_cost_where_tokens_have_a_price() -> None:
    # 10 x 0.1 + 4 x 0.5 = 3 and 20 x 0.1 + 2 x 0.5 = 3; the deployment without a price keeps the table's 7.
    workload = two_queries([[1, 4], [1, 2]])
    instance = drawn(workload, Listed([PRICED, Deployment("table", "b", Instant())]))
    assert instance.cost_usd.tolist() == [[3.0, 7.0], [3.0, 7.0]]
    assert instance.cost.tolist() == instance.cost_usd.tolist()
    assert instance.setting.history.cost.tolist() == [[3.0, 7.0], [3.0, 7.0]]
    assert workload.test.cost_usd.tolist() == [[7.0, 7.0], [7.0, 7.0]]


def test_a_budget_in_tokens_does_not_mind_prices() -> None:
    instance = drawn(two_queries([[1, 4], [1, 2]]), Listed([PRICED]), unit="tokens")
    assert instance.cost.tolist() == [[14.0], [22.0]]
    assert instance.cost_usd.tolist() == [[3.0], [3.0]]


def test_a_price_per_token_needs_tokens() -> None:
    with pytest.raises(ValueError, match="'priced' has a price per token, and the workload has no output tokens"):
        drawn(two_queries(None), Listed([PRICED]))


def test_the_prices_of_routerbench_2024_are_those_of_the_synthetic_workload() -> None:
    workload = synthetic(n_queries=50, n_history=50, dim=4)
    instance = drawn(workload, configured_fleet("routerbench_2024"))
    names = [deployment.model for deployment in instance.fleet]
    assert sorted(names) == sorted(workload.models)
    columns = [workload.models.index(name) for name in names]
    np.testing.assert_allclose(instance.cost_usd, workload.test.cost_usd[:, columns], rtol=1e-12)


# --- models of the workload -------------------------------------------------------------------------------------------


def names_and_models(catalogue: Catalogue, *models: str) -> list[tuple[str, str]]:
    """The deployments of a catalogue on a workload with these models."""
    return [(member.name, member.model) for member in catalogue.deployments(models, np.random.default_rng(0))]


NEAR, FAR = Deployment("near", "small", Instant()), Deployment("far", "large", Instant())


def test_an_entry_serves_the_model_of_its_name_or_the_one_that_it_is_put_to() -> None:
    assert names_and_models(Catalogue([NEAR, FAR]), "small", "large") == [("near", "small"), ("far", "large")]
    mapped = Catalogue([NEAR, FAR], models={"far": "huge"})
    assert names_and_models(mapped, "small", "huge") == [("near", "small"), ("far", "huge")]


def test_an_entry_put_to_null_is_left_out() -> None:
    assert names_and_models(Catalogue([NEAR, FAR], models={"far": None}), "small") == [("near", "small")]


def test_a_model_that_the_workload_lacks_brings_the_nearest_and_the_remedy() -> None:
    with pytest.raises(
        ValueError, match=r"'far': unknown model 'large'; did you mean 'larger'\?; fleet.models can put"
    ):
        names_and_models(Catalogue([NEAR, FAR]), "small", "larger")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"models": {"nera": "small"}}, "unknown fleet entry 'nera'; did you mean 'near'"),
        ({"listings": {"faar": "openai/x"}}, "unknown fleet entry 'faar'; did you mean 'far'"),
        ({"listings": {"far": "gpt-4o"}}, "the listing of 'far' is 'gpt-4o'; it must be provider/model"),
        ({"prices": "curent"}, "unknown fleet.prices 'curent'; did you mean 'current'"),
        ({"as_of": "yesterday"}, "as_of is 'yesterday'; it must be a day such as 2026-08-21"),
    ],
)
def test_a_catalogue_refuses_what_it_cannot_read(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Catalogue([NEAR, FAR], **settings)


# --- current prices ---------------------------------------------------------------------------------------------------


@needs_prices
def test_a_current_price_is_per_million_tokens() -> None:
    price = current_price("gpt-4o-mini", "openai", date(2026, 8, 21))
    assert (price.input_usd_per_million, price.output_usd_per_million) == (0.15, 0.6)
    assert price.source.startswith("genai-prices ")


@needs_prices
def test_a_price_that_rises_with_the_prompt_is_that_of_short_prompts() -> None:
    assert current_price("gemini-2.5-pro", "google", date(2026, 8, 21)).input_usd_per_million == 1.25


@needs_prices
def test_unknown_models_and_providers_are_errors_that_name_them() -> None:
    with pytest.raises(ValueError, match="has no model 'nope-9b'; give the provider's own name"):
        current_price("nope-9b")
    with pytest.raises(ValueError, match="has no model 'gpt-4o' at provider 'nobody'"):
        current_price("gpt-4o", "nobody")


@needs_prices
def test_current_prices_replace_listed_ones_and_say_so() -> None:
    old = Deployment("mini", "m", Instant(), price_input_usd_per_million=9.0, price_output_usd_per_million=9.0)
    own = Deployment("own", "m", Instant(), price_per_hour_usd=2.0)
    catalogue = Catalogue([old, own], prices="current", listings={"mini": "openai/gpt-4o-mini"}, as_of="2026-08-21")
    mini, untouched = catalogue.deployments(["m"], np.random.default_rng(0))
    assert (mini.price_input_usd_per_million, mini.price_output_usd_per_million) == (0.15, 0.6)
    assert mini.provenance is not None
    assert mini.provenance["price_input_usd_per_million"]["as_of"] == "2026-08-21"
    assert untouched == own


@needs_prices
@pytest.mark.parametrize("name", ["hosted_api", "sprout_2024"])
def test_every_listing_of_a_catalogue_is_known(name: str) -> None:
    fleet = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "fleet" / f"{name}.yaml"))
    assert isinstance(fleet, dict)
    assert fleet["listings"]
    for listing in fleet["listings"].values():
        provider, _, model = listing.partition("/")
        assert current_price(model, provider).output_usd_per_million > 0


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)  # makes the import fail
    with pytest.raises(ImportError, match=r"install Switchyard with the extra 'prices', or .* \(fleet.prices=listed\)"):
        current_price("gpt-4o")


# --- through the command ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["fitted_servers", "gpus_2026", "hosted_api", "routerbench_2024", "selfhosted_a100", "selfhosted_h100"]
)
def test_a_catalogue_runs_on_the_default_workload(name: str, tmp_path: Path) -> None:
    small = ["workload.n_queries=100", "workload.n_history=100", "policy=least_loaded", "oracle.names=[]"]
    assert main(["run", f"fleet={name}", *small, "budget=unlimited", f"out={tmp_path / 'o'}", "--no-report"]) == 0
