"""Every closed form that `switchyard validate` knows, on the standard systems, noted for the page of figures."""

import pytest

from sim.study.theory.laboratory import standard
from sim.study.theory.validate import validate
from tests.conftest import Beside

N_CUSTOMERS = 250_000


@pytest.mark.slow
def test_the_standard_systems_have_the_figures_of_their_closed_forms(beside: Beside) -> None:
    figures = validate(standard(), N_CUSTOMERS).dropna(subset=["passed"])
    assert len(figures) >= 75
    assert figures["passed"].all()
    for row in figures.to_dict(orient="records"):
        section = "Priorities" if "rank" in f"{row['system']} {row['figure']}" else "Queues"
        within = f"95% interval {row['low']:.4g} to {row['high']:.4g}"
        beside(section, f"{row['system']}: {row['figure']}", row["simulated"], row["theory"], row["form"], within)
