"""The verb validate, and the claims that it checks: small runs through the real world."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sim.cli.main import main
from sim.distributions import Constant, Empirical, Exponential, Gamma, Lognormal
from sim.study.theory.conditions import System
from sim.study.theory.forms import FORMS
from sim.study.theory.laboratory import customers, found, standard
from sim.study.theory.validate import Claim, judged, validate

QUEUE = System("queue", Exponential(1.25), Exponential(1.0))
FORM = {form.name: form for form in FORMS}


def applicable(system: System) -> set[str]:
    return {form.name for form in FORMS if not form.refusals(system)}


def test_a_single_markovian_server_qualifies_for_three_forms_and_they_agree() -> None:
    assert applicable(QUEUE) == {"M/M/c", "M/G/1", "G/M/1"}
    waits = [FORM[name].figures(QUEUE)["mean wait, s"] for name in ("M/M/c", "M/G/1", "G/M/1")]
    assert waits == pytest.approx([4, 4, 4])


@pytest.mark.parametrize(
    ("system", "form", "reason"),
    [
        (
            System("", Exponential(1.0), Lognormal(1.0, 2.0), 10),
            "M/M/c",
            "service is lognormal (CV 2), not exponential",
        ),
        (System("", Gamma(1.25, 2.0), Exponential(1.0)), "M/G/1", "gaps are gamma (CV 2), not exponential"),
        (System("", Constant(1.25), Exponential(1.0)), "G/M/1", "without a closed Laplace transform"),
        (System("", Exponential(1.0), Exponential(2.0)), "M/M/c", "the load is 2 of what can be served"),
        (System("", Exponential(1.0), Exponential(2.0), 9), "Erlang B", "customers may wait, so none is lost"),
        (System("", Exponential(1.0), Exponential(2.0), 9), "M/M/c+M", "customers are patient"),
    ],
)
def test_a_form_says_why_it_does_not_apply(system: System, form: str, reason: str) -> None:
    [said] = FORM[form].refusals(system)
    assert reason in said


def test_lognormal_service_at_ten_servers_has_no_closed_form() -> None:
    assert applicable(System("", Exponential(1.0), Lognormal(1.0, 2.0), 10)) == set()


def test_loss_is_insensitive_so_erlang_b_applies_to_any_service() -> None:
    for service in (Exponential(1.0), Constant(1.0), Lognormal(1.0, 2.0), Empirical((0.5, 1.5))):
        assert "Erlang B" in applicable(System("", Exponential(1 / 8), service, 10, queue_capacity=0))


def test_every_form_applies_to_some_standard_system() -> None:
    assert set.union(*(applicable(system) for system in standard())) == set(FORM)


def test_an_arrival_finds_those_who_came_before_and_have_not_left() -> None:
    # Served from 0 to 3 and from 3 to 6; the third is turned away and counts for nobody; the last comes as one leaves.
    arrivals = pd.DataFrame(
        {
            "arrived_at_s": [0.0, 1.0, 2.0, 3.0],
            "finished_at_s": [3.0, 6.0, np.nan, 9.0],
            "fate": ["served", "served", "rejected", "served"],
        }
    )
    assert found(arrivals).tolist() == [0, 1, 2, 1]


def test_a_tandem_sends_the_departures_of_the_first_server_to_the_second() -> None:
    system = System("tandem", Constant(10.0), Constant(1.0), after=(Constant(2.0), Constant(3.0)))
    table = customers(system, 3, seed=0)
    assert (table["finished_at_s"] - table["arrived_at_s"]).tolist() == [6, 6, 6]


def test_a_small_run_meets_theory() -> None:
    table = validate([QUEUE, System("loss", Exponential(0.2), Constant(1.0), 5, queue_capacity=0)], 20_000)
    claims = table[table["passed"].notna()]
    assert set(claims["figure"]) == {"mean wait, s", "share that waits", "share blocked", "number found"}
    assert claims["passed"].all()
    assert (claims["high"] - claims["low"] < claims["theory"] * 0.5).all()  # and could have failed
    blocked = claims[claims["figure"] == "share blocked"].iloc[0]
    assert blocked["theory"] == pytest.approx(0.284868, abs=5e-7)


def test_a_percentile_is_checked_where_there_are_enough_arrivals() -> None:
    table = validate([QUEUE], 100_000)
    percentile = table[(table["form"] == "M/M/c") & (table["figure"] == "P99 of wait, s")]
    assert percentile["theory"].tolist() == pytest.approx([21.910], abs=5e-4)
    assert (percentile["low"] < percentile["simulated"]).all()
    assert (percentile["simulated"] < percentile["high"]).all()
    assert percentile["passed"].all()


def test_a_system_is_the_same_whichever_others_are_run() -> None:
    alone, together = validate([QUEUE], 2_000), validate([standard()[6], QUEUE], 2_000)
    both = together[together["system"] == "queue"]
    assert both["simulated"].dropna().tolist() == alone["simulated"].dropna().tolist()


def test_a_wrong_simulator_fails() -> None:
    claim = Claim(QUEUE, "form", "figure", 4.0)

    def row(simulated: float) -> dict[str, object]:
        return judged(
            claim, (simulated, simulated - 0.2, simulated + 0.2), (simulated, simulated - 0.3, simulated + 0.3)
        )

    assert (row(4.1)["passed"], row(4.1)["verdict"]) == (True, "inside")
    assert (row(4.25)["passed"], row(4.25)["verdict"]) == (
        True,
        "outside by 0.05, inside 3.95 to 4.55 as chance allows",
    )
    assert (row(5.0)["passed"], row(5.0)["verdict"]) == (False, "FAILS: outside by 0.8, chance allows 4.7 to 5.3")
    assert row(3.0)["verdict"] == "FAILS: outside by 0.8, chance allows 2.7 to 3.3"


def test_too_few_customers_for_the_batches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"customers is 100; it must be at least 50 for each of 20 batches"):
        validate([QUEUE], 100)


def test_a_shared_server_gives_every_customer_its_share() -> None:
    shared = [system for system in standard() if system.shared]
    claims = validate(shared, 30_000).dropna(subset=["passed"])
    assert claims["passed"].all()
    assert set(claims["form"]) == {"M/G/1-PS", "limited PS"}


def test_the_verb_writes_its_table_and_says_where(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "checked"
    words = ["validate", "systems=[M/M/1,M/D/1]", "quick=true", "quick_customers=4000", f"out={out}"]
    assert main(words) == 0
    printed, errors = capfd.readouterr()
    assert errors == ""
    for text in ("M/M/1", "mean wait, s", "95% interval", "service is constant (CV 0)", f"written to {out}"):
        assert text in printed
    assert set(pd.read_csv(out / "validate.csv")["system"]) == {"M/M/1", "M/D/1"}
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["verb"] == "validate"
    assert manifest["config"]["systems"] == ["M/M/1", "M/D/1"]


def test_a_system_of_ones_own_is_checked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    exponential = "{_target_:sim.distributions.Exponential,mean_s:1.0}"
    gap = "{_target_:sim.distributions.Gamma,mean_s:2.0,cv:0.5}"
    own = f"system={{_target_:sim.study.theory.conditions.System,name:mine,gap:{gap},service:{exponential}}}"
    assert main(["validate", own, "customers=4000", f"out={tmp_path / 'o'}", "--no-report"]) == 0
    assert "mine" in capfd.readouterr().out
    assert "G/M/1" in set(pd.read_csv(tmp_path / "o" / "validate.csv").dropna(subset="passed")["form"])


def test_an_unknown_system_is_answered_with_the_nearest(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["validate", "systems=[M/M/11]", f"out={tmp_path / 'o'}", "--no-report"]) == 1
    assert "unknown system 'M/M/11'; did you mean 'M/M/1'" in capfd.readouterr().err
    assert not (tmp_path / "o").exists()
