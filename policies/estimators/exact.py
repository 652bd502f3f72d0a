"""Matrix products whose every entry is the same to the last bit in any company. They know no estimator.

A matrix product adds in an order that depends on the processor, on the number of threads and on how many rows there
are, so the last bit of a row's result depends on the other rows. It does not where no sum is rounded. Rows rounded to
multiples of a step of 2^-25 of their length have products that are multiples of 2^-50 of the two lengths. By Cauchy and
Schwarz no partial sum exceeds the product of the lengths. So every sum fits the 53 bits of a float, in any order.
"""

from __future__ import annotations

import numpy as np

from sim.interface import EmbeddingArray, FloatArray

BITS = 25
SINGLE = 4096 * (1 - 2.0**-20)  # so that a vector whose length is 1 but for rounding stays below 4096
ROWS = 512  # of a product at a time, so that the parts of the rows stay in the cache


def rounded(rows: FloatArray | EmbeddingArray) -> FloatArray:
    """Return rows (n, dim) rounded to 25 bits below their length; products of such rows are exact, whoever adds.

    >>> rounded(np.array([[1.0, 1e-9]])).tolist()
    [[1.0, 0.0]]
    """
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    _, exponent = np.frexp(np.sqrt(np.add.reduce(rows * rows, axis=1, keepdims=True)))  # length < 2^exponent
    multiples = np.rint(np.ldexp(rows, BITS - exponent))
    result: FloatArray = np.ldexp(multiples, exponent - BITS)
    return result


def whole(vectors: EmbeddingArray) -> EmbeddingArray:
    """Return vectors (n, dim) of length 1 times 4096, cut to whole numbers: single precision multiplies them exactly.

    They are whole, and so is every partial sum; none exceeds 2^24, up to which single precision has every whole number.

    >>> whole(np.array([[0.6, -0.8]], dtype=np.float32)).tolist()
    [[2457.0, -3276.0]]
    """
    numbers: EmbeddingArray = np.trunc(vectors * SINGLE).astype(np.float32)
    return numbers


class Columns:
    """Columns (dim, m) that many rows are multiplied with, split once.

    Both rows and columns are split into what ``rounded`` keeps and a remainder that is rounded likewise; the product of
    the remainders, 2^-50 of the lengths, is left out.
    """

    def __init__(self, columns: FloatArray) -> None:
        self._high, self._low = split(columns.T)

    def times(self, rows: FloatArray) -> FloatArray:
        """Return rows (n, dim) times the columns (n, m), each entry a function of its row and its column alone."""
        result = np.empty((len(rows), len(self._high)))
        for start in range(0, len(rows), ROWS):
            part = slice(start, start + ROWS)
            main, rest = split(rows[part])
            result[part] = main @ self._high.T + (main @ self._low.T + rest @ self._high.T)
        return result


def product(rows: FloatArray, columns: FloatArray) -> FloatArray:
    """Return rows (n, dim) times columns (dim, m), as ``Columns`` does."""
    return Columns(columns).times(rows)


def split(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return rows rounded, and the rounded remainder."""
    main = rounded(rows)
    return main, rounded(rows - main)


def squared_lengths(rows: FloatArray) -> FloatArray:
    """Return the squared lengths (n,) of rounded rows; they are exact too."""
    lengths: FloatArray = np.einsum("ij,ij->i", rows, rows)
    return lengths
