"""L-BFGS-B of our own beside SciPy's, on functions on which no last bit decides anything."""

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from policies.parts.box_minimum import Function, box_minimum
from policies.parts.smooth_prices import coarse, exponential, logarithm
from sim.interface import FloatArray


def valley(point: FloatArray) -> tuple[float, FloatArray]:
    """Rosenbrock's function of three times the point: curved, with its minimum at 1/3."""
    return float(rosen(3 * point)), 3 * rosen_der(3 * point)


def bowl(n: int) -> Function:
    """A quadratic with a fourth power, whose minimum in the box has some entries at either bound."""
    rng = np.random.default_rng(n)
    root, tilt = rng.standard_normal((n, n)), rng.standard_normal(n)
    matrix = root @ root.T / n + 0.1 * np.eye(n)

    def function(point: FloatArray) -> tuple[float, FloatArray]:
        away = point - 0.4
        value = 0.5 * away @ matrix @ away + tilt @ away + (away**4).sum()
        return float(value), matrix @ away + tilt + 4 * away**3

    return function


@pytest.mark.parametrize("iterations", [1, 2, 3, 5, 8, 12, 20, 15_000])
@pytest.mark.parametrize(("function", "n"), [(valley, 2), (valley, 10), (bowl(3), 3), (bowl(27), 27)])
def test_it_goes_where_that_of_scipy_goes_step_by_step(function: Function, n: int, iterations: int) -> None:
    start, highest = np.linspace(0.2, 0.9, n), np.ones(n)
    theirs = minimize(
        function, start, jac=True, method="L-BFGS-B", bounds=[(0, 1)] * n, options={"maxiter": iterations}
    )
    np.testing.assert_allclose(box_minimum(function, start, highest, iterations=iterations), theirs.x, atol=1e-9)


def test_a_slope_that_points_out_of_the_box_ends_at_its_edge() -> None:
    def plane(point: FloatArray) -> tuple[float, FloatArray]:
        slope = np.array([1.0, -1.0, 0.0])
        return float(slope @ point), slope

    assert box_minimum(plane, np.full(3, 0.5), np.array([1.0, 2.0, 1.0])).tolist() == [0.0, 2.0, 0.5]


def test_a_box_without_room_is_its_one_point() -> None:
    assert box_minimum(bowl(3), np.full(3, 0.5), np.zeros(3)).tolist() == [0.0, 0.0, 0.0]


def test_exponential_and_logarithm_are_those_of_numpy_to_a_few_last_bits() -> None:
    rng = np.random.default_rng(0)
    below, above = -rng.uniform(0, 700, 10_000), rng.uniform(1, 1e6, 10_000)
    np.testing.assert_allclose(exponential(below), np.exp(below), rtol=1e-15)
    np.testing.assert_allclose(logarithm(above), np.log(above), rtol=1e-15)


def test_what_is_coarse_has_thirty_bits() -> None:
    values = np.random.default_rng(0).lognormal(0, 9, 1000)
    np.testing.assert_allclose(coarse(values), values, rtol=2.0**-30)
    assert (coarse(np.nextafter(values, np.inf)) == coarse(values)).all()
