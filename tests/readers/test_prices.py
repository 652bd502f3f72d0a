"""Price lists: of litellm, of genai-prices, of one's own; a model is found by its name, or the nearest are named."""

import json
from pathlib import Path
from typing import Any

import pytest

from scenarios.readers.prices.reading import prices_of, read
from scenarios.workloads.trace import PricedModel, trace
from sim.errors import UnreadableError
from tests.readers.made import prices, text

LITELLM = {
    "sample_spec": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
    "gpt-4o-mini": {"input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07, "mode": "chat"},
    "azure/gpt-4o": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05},
    "other/gpt-4o": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05},
    "azure/llama": {"input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06},
    "groq/llama": {"input_cost_per_token": 2e-06, "output_cost_per_token": 2e-06},
    "dall-e": {"output_cost_per_image": 0.04},
}


def listed(folder: Path, content: Any) -> str:
    return str(text(folder, "prices.json", json.dumps(content)))


def test_litellms_costs_per_token_are_prices_per_million(tmp_path: Path) -> None:
    found = read(listed(tmp_path, LITELLM))
    assert found.of("gpt-4o-mini") == (0.15, 0.6)
    assert set(found.prices) == {"gpt-4o-mini", "azure/gpt-4o", "other/gpt-4o", "azure/llama", "groq/llama"}


def test_a_model_is_found_without_its_provider_if_all_providers_agree(tmp_path: Path) -> None:
    found = read(listed(tmp_path, LITELLM))
    assert found.of("gpt-4o") == (2.5, 10.0)
    with pytest.raises(
        ValueError, match=r"'llama' has several prices in .*: azure/llama 1/1, groq/llama 2/2; say which"
    ):
        found.of("llama")


def test_an_unknown_model_brings_the_nearest_names(tmp_path: Path) -> None:
    path = listed(tmp_path, LITELLM)
    with pytest.raises(ValueError, match=r"'gpt-4o-mni' has no price in .*; did you mean 'gpt-4o-mini'.*\? price_as="):
        prices_of(["gpt-4o-mni"], path)
    assert prices_of(["mine"], path, {"mine": "gpt-4o-mini"}) == {"mine": (0.15, 0.6)}
    with pytest.raises(ValueError, match=r"model 'mine', as 'gpt-5', has no price in .* price_as=\{mine: gpt-4o"):
        prices_of(["mine"], path, {"mine": "gpt-5"})
    with pytest.raises(ValueError, match=r"unknown model 'min'; did you mean 'mine'\? \(in price_as\)"):
        prices_of(["mine"], path, {"min": "gpt-4o-mini"})


def test_genai_prices_have_bases_dates_and_matches(tmp_path: Path) -> None:
    models = [
        {"id": "plain", "match": {"equals": "plain"}, "prices": {"input_mtok": 1, "output_mtok": 5}},
        {
            "id": "tiered",
            "match": {"or": [{"starts_with": "tiered-"}, {"regex": "^old-[0-9]+$"}]},
            "prices": {"input_mtok": {"base": 2, "tiers": [{"start": 200000, "price": 4}]}, "output_mtok": 8},
        },
        {
            "id": "dated",
            "prices": [
                {"prices": {"input_mtok": 10, "output_mtok": 40}},
                {"constraint": {"start_date": "2025-06-10"}, "prices": {"input_mtok": 2, "output_mtok": 8}},
                {"constraint": {"start_time": "00:30:00Z"}, "prices": {"input_mtok": 0.1, "output_mtok": 0.1}},
            ],
        },
        {"id": "images", "prices": {"input_mtok": 1}},
    ]
    found = read(listed(tmp_path, [{"id": "one", "name": "One", "models": models}]))
    assert found.prices == {"one/plain": (1, 5), "one/tiered": (2, 8), "one/dated": (2, 8)}
    assert found.of("plain") == (1, 5)
    assert found.of("tiered-2026") == found.of("old-7") == (2, 8)
    with pytest.raises(ValueError, match="'older-7' has no price"):
        found.of("older-7")


def test_a_list_of_ones_own_is_a_table(tmp_path: Path) -> None:
    assert read(str(prices(tmp_path))).prices == {"a": (1, 2), "b": (10, 20)}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1}', "is JSON with the keys a, which is no price list; known are litellm's"),
        ("a,b\n1,2\n", "is CSV with the columns a, b, which is no price list"),
        ("", "it is empty"),
        ('{"m": {"input_cost_per_token"', "cannot read .* as JSON"),
        ('{"m": {"input_cost_per_token": "free", "output_cost_per_token": 0}}', "the costs of 'm' in .* are"),
        ('[{"id": "one", "models": [{"prices": {"input_mtok": 1, "output_mtok": 1}}]}]', "provider 0 of .* 'id'"),
        (
            "model,input_usd_per_million,output_usd_per_million\na,cheap,1\n",
            "'input_usd_per_million' is 'cheap' in row 0",
        ),
        ("model,input_usd_per_million,output_usd_per_million\na,-1,1\n", "a price is below 0"),
    ],
)
def test_a_file_that_is_no_price_list_is_refused(content: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=said):
        read(str(text(tmp_path, "prices", content)))


def test_a_traces_models_take_the_prices_of_their_names(tmp_path: Path) -> None:
    path = text(tmp_path, "t.csv", "arrival_s,input_tokens,output_tokens\n0,10,100\n1,20,200\n")
    models = [PricedModel("a", 0.5, 99, 99), PricedModel("b", 0.5, 99, 99)]
    rows = trace(str(path), models, n_history=1, dim=4, prices=str(prices(tmp_path))).test
    assert rows.cost_usd[0] == pytest.approx([210e-6, 2100e-6])
