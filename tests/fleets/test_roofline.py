"""Deployments from specifications: by hand, against the time to read the weights, and against measured servers."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from scenarios.fleets import Catalogue
from scenarios.roofline.roofline import Roofline, floor_s
from scenarios.roofline.specifications import GIB, LanguageModel, gpu, language_model, written
from sim.deployment import Deployment, check_provenance
from sim.study.fit.fit import simulate
from sim.study.fit.measured import FIGURES, LATENCIES, figure, latencies, read
from sim.world.services.paged import PagedBatching
from tests.conftest import Beside
from tests.serving import Request, serve

ROOT = Path(__file__).resolve().parents[2]
SERVING = ROOT.parent / "shared" / "data" / "serving"
ENGINE = partial(PagedBatching, slots=256, batched_tokens=2048)


def service(**settings: Any) -> PagedBatching:
    """The service of an 8B model on one H100, or of what the settings say instead."""
    made = Roofline(**{"gpu": "h100", "model": "llama-3.1-8b", "service": ENGINE, **settings}).deployment().service
    assert isinstance(made, PagedBatching)
    return made


def catalogue(name: str) -> Catalogue:
    """The catalogue of conf/fleet/NAME.yaml."""
    fleet: Catalogue = instantiate(OmegaConf.load(ROOT / "conf" / "fleet" / f"{name}.yaml"), _convert_="all")
    return fleet


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_an_iteration_reads_the_weights_and_multiplies_each_token_with_them() -> None:
    # 8.03e9 - 0.525e9 parameters of 2 bytes over 3.35e12 bytes/s x 0.8, and 1 ms; 2 FLOPs each over 989e12 x 0.75.
    made = service()
    assert made.iteration_base_s == pytest.approx(7.505e9 * 2 / 3.35e12 / 0.8 + 0.001, rel=1e-4)
    assert made.iteration_per_sequence_s == pytest.approx(2 * 7.505e9 / (989e12 * 0.75), rel=1e-4)
    assert made.prefill_per_token_s == made.iteration_per_sequence_s


def test_a_token_takes_what_its_keys_and_values_take() -> None:
    # 2 x 32 layers x 8 heads x 128 numbers of 2 bytes are 128 KiB.
    assert language_model("llama-3.1-8b").kv_bytes_per_token(2) == 128 * 1024
    assert service().iteration_per_kv_token_s == pytest.approx(128 * 1024 / 3.35e12 / 0.8, rel=1e-4)
    room_bytes = 0.9 * 80 * GIB - 1.5 * GIB - 8.03e9 * 2
    assert service().kv_tokens == int(room_bytes / (128 * 1024))
    assert service(cache_bits=8).kv_tokens == int(room_bytes / (64 * 1024))


def test_twice_the_gpus_read_in_half_the_time_and_add_up_their_parts() -> None:
    one, two = service(iteration_overhead_s=0.0), service(iteration_overhead_s=0.0, tensor_parallel=2)
    sums_s = 2 * 32 * 1e-5  # two sums in each of 32 layers
    assert two.iteration_base_s == pytest.approx(one.iteration_base_s / 2 + sums_s, rel=1e-4)
    assert two.prefill_per_token_s == pytest.approx(one.prefill_per_token_s / 2, rel=1e-4)


def test_experts_are_all_read_and_few_of_them_used() -> None:
    experts = LanguageModel(10e9, 0.0, 10, 1, 100, expert_parameters=8e9, active_share=0.25)
    assert experts.read_parameters == 10e9
    assert experts.active_parameters == 2e9 + 0.25 * 8e9
    # Two engines share them: each holds its own 2e9 and half of the 8e9.
    assert floor_s(gpu("h100"), experts, 1, 2, 16) == pytest.approx(6e9 * 2 / 3.35e12)
    assert service(model="qwen3-30b-a3b", data_parallel=2).ranks == 2


def test_weights_of_half_the_bits_are_read_in_half_the_time() -> None:
    whole, half = (service(iteration_overhead_s=0.0, weight_bits=bits) for bits in (16, 8))
    assert half.iteration_base_s == pytest.approx(whole.iteration_base_s / 2, rel=1e-4)


def test_rent_is_of_all_gpus_of_a_replica() -> None:
    assert Roofline("h100", "llama-3.1-70b", ENGINE, tensor_parallel=4).deployment().price_per_hour_usd == 4 * 3.99
    own = Roofline("h100", "llama-3.1-70b", ENGINE, tensor_parallel=4, price_per_hour_usd=2.5).deployment()
    assert own.price_per_hour_usd == 10
    assert own.name == "llama-3.1-70b-tp4-h100"
    assert "price_per_hour_usd" not in (own.provenance or {})  # it is the user's own


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gpu": "h10"}, "unknown GPU 'h10'; did you mean 'h100'"),
        ({"model": "llama-3.1-8"}, "unknown model of the roofline 'llama-3.1-8'; did you mean 'llama-3.1-8b'"),
        ({"model": "llama-3.1-70b"}, "the weights of llama-3.1-70b take 131 GiB with 16 bits, and 1 h100 can use 70"),
        ({"price_per_hour_usd": -1.0}, "price_per_hour_usd is -1.0; it must be at least 0"),
        ({"bandwidth_efficiency": 1.2}, "bandwidth_efficiency is 1.2; it must be above 0 and at most 1"),
        ({"tensor_parallel": 0}, "tensor_parallel is 0; it must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        service(**settings)


def test_a_model_that_the_workload_lacks_brings_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'llama-3.1-8b'.*fleet.serves names the one that answers"):
        Roofline("h100", "llama-3.1-8b", ENGINE).deployments(["a"], np.random.default_rng(0))


# --- the tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(written("gpus.yaml")))
def test_every_figure_of_a_gpu_says_where_it_is_from(name: str) -> None:
    machine = gpu(name)
    for figure_, origin in machine.provenance.items():
        check_provenance(f"{figure_} of {name}", origin)
        low, high = origin.get("range", [0, np.inf])
        assert low <= getattr(machine, figure_) <= high


# A layer has 2 h^2 (query and output) + 2 h x kv heads x head size + 3 h x inner; the ends have 2 vocabulary x h.
@pytest.mark.parametrize(
    ("name", "hidden", "inner", "vocabulary"),
    [
        ("llama-3.1-8b", 4096, 14336, 128256),
        ("llama-3.1-70b", 8192, 28672, 128256),
        ("llama-3.1-405b", 16384, 53248, 128256),
        ("llama-2-13b", 5120, 13824, 32000),
        ("llama-2-70b", 8192, 28672, 32000),
        ("mistral-7b", 4096, 14336, 32000),
        ("yi-34b", 7168, 20480, 64000),
        ("qwen3-14b", 5120, 17408, 151936),
    ],
)
def test_the_parameters_of_a_model_are_those_of_its_layers(name: str, hidden: int, inner: int, vocabulary: int) -> None:
    model = language_model(name)
    layer = 2 * hidden**2 + 2 * hidden * model.kv_heads * model.head_size + 3 * hidden * inner
    assert model.parameters == pytest.approx(model.layers * layer + 2 * vocabulary * hidden, rel=0.003)
    assert model.embedding_parameters == pytest.approx(vocabulary * hidden, rel=0.003)


@pytest.mark.parametrize(
    "one", [one.deployment() for one in catalogue("gpus_2026").entries if isinstance(one, Roofline)]
)
def test_every_computed_number_says_how_it_was_computed(one: Deployment) -> None:
    parts = ("base_s", "per_sequence_s", "per_kv_token_s")
    of_service = {f"service.iteration_{part}" for part in parts} | {"service.prefill_per_token_s", "service.kv_tokens"}
    assert set(one.provenance or {}) == of_service | {"price_per_hour_usd"}


# --- no entry is faster than memory -----------------------------------------------------------------------------------

MARK = "less than reading the weights"


def hardware(name: str) -> tuple[int, int, str]:
    """How many GPUs an engine has, how many engines there are, and which kind: ``70b-tp8-h100``."""
    found = re.search(rf"(?:-tp(\d+))?(?:-dp(\d+))?-({'|'.join(written('gpus.yaml'))})$", name)
    assert found, name
    return int(found[1] or 1), int(found[2] or 1), found[3]


def listed(name: str) -> list[Deployment]:
    """Every entry of a catalogue."""
    return [one if isinstance(one, Deployment) else one.deployment() for one in catalogue(name).entries]


ENTRIES = [
    pytest.param(one, id=f"{name}-{one.name}")
    for name in ("selfhosted_h100", "selfhosted_a100", "gpus_2026", "fitted_servers")
    for one in listed(name)
]


def is_marked(one: Deployment) -> bool:
    """Whether the origin of W says that it is below the floor."""
    return MARK in (one.provenance or {})["service.iteration_base_s"].get("note", "")


@pytest.mark.parametrize("one", ENTRIES)
def test_no_entry_makes_a_token_in_less_than_it_takes_to_read_the_weights(one: Deployment) -> None:
    gpus, engines, kind = hardware(one.name)
    bits = 8 if one.model == "llama-3.1-405b" else 16  # which fits in no other way, as its note says
    served: Any = one.service
    token_s = served.iteration_base_s + served.iteration_per_sequence_s
    assert token_s >= floor_s(gpu(kind), language_model(one.model), gpus, engines, bits) or is_marked(one)


def test_fleet_sims_70b_on_eight_h100_would_fail() -> None:
    assert floor_s(gpu("h100"), language_model("llama-3-70b"), 8, 1, 16) > 0.004 + 0.00032


@pytest.mark.parametrize("name", ["selfhosted_h100", "selfhosted_a100"])
def test_a_larger_model_never_serves_more_for_the_same_money(name: str) -> None:
    members: Any = listed(name)
    per_usd = [one.service.served_per_s(512, 512) / one.price_per_hour_usd for one in members]
    assert per_usd == sorted(per_usd, reverse=True)  # entries go from small to large


@pytest.mark.parametrize("kind", ["a100", "h100", "h200", "b200", "l40s", "mi300x"])
def test_on_each_gpu_a_larger_model_never_serves_more_for_the_same_money(kind: str) -> None:
    members: Any = [one for one in listed("gpus_2026") if hardware(one.name)[-1] == kind]
    per_usd = [one.service.served_per_s(512, 512) / one.price_per_hour_usd for one in members]
    assert len(per_usd) >= 2
    assert per_usd == sorted(per_usd, reverse=True)


# --- against measurements ---------------------------------------------------------------------------------------------


def test_an_overloaded_server_of_pages_serves_what_its_formula_says() -> None:
    service_ = PagedBatching(8, 0.02, 0.001, 1e-6, 0.0, 4e-5, batched_tokens=512)
    done = np.sort([one.finished_s for one in serve(service_, [Request(0.0, 100, 50)] * 400)])
    assert 200 / (done[300] - done[100]) == pytest.approx(service_.served_per_s(100, 50), rel=0.03)


def test_a_small_cache_bounds_the_batch_of_the_formula() -> None:
    wide = PagedBatching(100, 0.02, 0.0)
    narrow = PagedBatching(100, 0.02, 0.0, kv_tokens=1250)  # 10 of the 100 + 50 / 2 tokens that a query holds
    assert narrow.served_per_s(100, 50) == pytest.approx(10 / (0.02 * 50))
    assert wide.served_per_s(100, 50) == pytest.approx(100 / (0.02 * 50))
    assert wide.served_per_s(100, float("nan")) is None


def test_qwen3_14b_on_an_h100_is_a_third_slower_than_a_simulators_tutorial_says() -> None:
    # BLIS: about 17 requests a second of 512 and 512 tokens.
    served = service(model="qwen3-14b").served_per_s(512, 512)
    assert served is not None
    assert -0.35 < served / 17 - 1 < -0.25


SETUPS = {
    # requests: GPU, model, slots, engines in step; and the server as docs/reference/fleets.md calls it
    "rtxpro6000_llama31_8b": ("rtx-pro-6000", "llama-3.1-8b", 128, 1, "Llama-3.1-8B, RTX PRO 6000"),
    "rtx4090_llama31_8b": ("rtx-4090", "llama-3.1-8b", 256, 1, "Llama-3.1-8B, RTX 4090"),
    "rtxpro6000_qwen3_30b_a3b": (
        *("rtx-pro-6000", "qwen3-30b-a3b", 128, 2),
        "Qwen3-30B-A3B, 2 x RTX PRO 6000, experts spread",
    ),
}


def stated(server: str) -> list[float]:
    """The errors that the page states for a server, in per cent: mean and p95 of each latency."""
    page = (ROOT / "docs" / "reference" / "fleets.md").read_text()
    [row] = [line for line in page.splitlines() if line.startswith(f"| {server} |")]
    return [float(one) for one in re.findall(r"([+-]\d+)%", row)]


def pairs(name: str) -> dict[str, tuple[float, float]]:
    """Simulated and measured mean and p95 of each latency of a measured server, all 300 requests."""
    kind, model, slots, engines, _ = SETUPS[name]
    requests = read(SERVING / f"{name}.parquet")
    made = service(
        gpu=kind,
        model=model,
        service=partial(PagedBatching, slots=slots, batched_tokens=2048),
        data_parallel=engines,
    )
    measured = latencies(requests, requests.first_token_s, requests.last_token_s)
    simulated = latencies(requests, *simulate(made, 1, requests))
    return {
        f"{metric} {of}": (figure(of, simulated[metric].to_numpy()), figure(of, measured[metric].to_numpy()))
        for metric in LATENCIES
        for of in FIGURES
    }


@pytest.mark.skipif(not SERVING.exists(), reason="the serving measurements are not at ../shared/data/serving")
@pytest.mark.parametrize("name", list(SETUPS))
def test_the_error_at_a_measured_server_is_the_one_that_is_stated(name: str, beside: Beside) -> None:
    for error, (of, (simulated, measured)) in zip(stated(SETUPS[name][-1]), pairs(name).items(), strict=True):
        assert 100 * (simulated / measured - 1) == pytest.approx(error, abs=1.0)
        beside(
            "Measured servers",
            f"roofline of {name}: {of}",
            simulated,
            measured,
            "vLLM 0.19.0",
            f"stated: {error:+.0f}%",
        )


def test_the_room_for_keys_and_values_is_near_a_measured_one() -> None:
    room = service(gpu="rtx-4090").kv_tokens
    assert room is not None
    assert room / 41_408 - 1 == pytest.approx(0.02, abs=0.01)  # vLLM 0.19.0
