"""Products that are the same to the last bit in any company, and how near they are to the true ones."""

from fractions import Fraction

import numpy as np
import pytest

from policies.estimators.exact import product, rounded, squared_lengths


def test_a_product_of_rounded_rows_has_no_rounding_error() -> None:
    rng = np.random.default_rng(0)
    rows, others = rounded(rng.normal(size=(5, 384)) * 1e3), rounded(rng.normal(size=(3, 384)) * 1e-4)
    for row, line in zip(rows, rows @ others.T, strict=True):
        for other, value in zip(others, line, strict=True):
            assert value == sum(Fraction(a) * Fraction(b) for a, b in zip(row.tolist(), other.tolist(), strict=True))
    assert squared_lengths(rows)[0] == sum(Fraction(a) ** 2 for a in rows[0].tolist())


@pytest.mark.parametrize("inner", [1, 2, 31, 385, 1200])
@pytest.mark.parametrize("m", [1, 3, 11, 17])
def test_each_row_of_a_product_is_that_of_the_row_alone(inner: int, m: int) -> None:
    rng = np.random.default_rng(inner)
    rows, columns = rng.normal(size=(53, inner)), rng.normal(size=(inner, m))
    together = product(rows, columns)
    assert np.array_equal(together, np.vstack([product(row[None], columns) for row in rows]))
    assert np.array_equal(together, np.column_stack([product(rows, column[:, None]) for column in columns.T]))
    assert np.array_equal(together[::-2], product(rows[::-2], columns))
    assert np.array_equal(together, product(np.asfortranarray(rows), np.asfortranarray(columns)))


def test_a_product_is_within_2_to_the_minus_47_of_the_lengths() -> None:
    rng = np.random.default_rng(1)
    rows, columns = rng.normal(size=(20, 1200)), rng.normal(size=(1200, 4)) * 10.0 ** np.arange(-8, 8, 4)
    lengths = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(columns, axis=0)
    assert (np.abs(product(rows, columns) - rows @ columns) <= 2.0**-47 * lengths).all()


def test_a_row_of_zeros_stays_a_row_of_zeros() -> None:
    assert product(np.zeros((2, 3)), np.ones((3, 2))).tolist() == [[0, 0], [0, 0]]
