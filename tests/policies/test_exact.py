"""Products that no company changes: exact where rows are rounded, as good as double precision where they are split."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from policies.estimators.exact import product, rounded, squared_lengths
from sim.interface import FloatArray

ROWS = arrays(np.float64, st.tuples(st.just(3), st.integers(1, 40)), elements=st.floats(-1e6, 1e6, width=32))


def exactly(left: FloatArray, right: FloatArray) -> Fraction:
    """The inner product in fractions, which round nothing."""
    return sum((Fraction(a) * Fraction(b) for a, b in zip(left.tolist(), right.tolist(), strict=True)), Fraction())


@given(ROWS)
def test_products_of_rounded_rows_are_exact(rows: FloatArray) -> None:
    kept = rounded(rows)
    found = kept @ kept.T
    assert all(Fraction(float(found[i, j])) == exactly(kept[i], kept[j]) for i in range(3) for j in range(3))
    assert squared_lengths(kept).tolist() == np.diag(found).tolist()


@given(ROWS)
def test_rounding_moves_no_entry_by_more_than_2_to_the_minus_25_of_the_length(rows: FloatArray) -> None:
    length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    assert (np.abs(rounded(rows) - rows) <= 2.0**-25 * length).all()
    np.testing.assert_array_equal(rounded(rounded(rows)), rounded(rows))


def test_what_is_rounded_by_hand() -> None:
    # A length of 1 is below 2, so the step is 2 x 2^-25 = 2^-24; 2^-24 is kept and 2^-26 is not. Zeros stay zeros.
    assert rounded(np.array([[1.0, 2.0**-24, 2.0**-26], [0.0, 0.0, 0.0]])).tolist() == [[1.0, 2.0**-24, 0.0], [0.0] * 3]


@pytest.mark.parametrize("dim", [1, 7, 64, 1000])
def test_a_product_is_that_of_double_precision_and_the_same_for_any_number_of_rows(dim: int) -> None:
    rng = np.random.default_rng(dim)
    rows, columns = rng.normal(size=(700, dim)), rng.normal(size=(dim, 5)) * 10.0 ** np.arange(-2, 3)
    found = product(rows, columns)
    scale = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(columns, axis=0)
    assert (np.abs(found - rows @ columns) <= 1e-13 * scale).all()
    for n in (1, 2, 3, 8, 511, 513):
        np.testing.assert_array_equal(product(rows[:n], columns), found[:n])
        np.testing.assert_array_equal(product(rows[-n:], columns[:, :1]), found[-n:, :1])


def test_splitting_keeps_what_rounding_alone_would_lose() -> None:
    # (1, 1e-9) times (1, 1e9) is 2; rounded to 25 bits below the row's length, 1e-9 would be 0 and the product 1.
    assert product(np.array([[1.0, 1e-9]]), np.array([[1.0], [1e9]])).item() == pytest.approx(2.0, abs=1e-6)
