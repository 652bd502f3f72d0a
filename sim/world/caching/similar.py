"""Finds stored prompts that are similar to another: approximately by FAISS, then exactly for what that has found.

The same prompts are found on every processor, as no sum on the way is rounded. Rows are rounded to multiples of 2^-24
of their length: double precision adds products of such rows exactly, in any order. For the approximate search they are
whole numbers with lengths up to 4096, whose products single precision adds exactly. It knows no prompt and no answer.
"""

from __future__ import annotations

import math

import faiss
import numpy as np

from sim.interface import EmbeddingArray, FloatArray

BITS = 24
LONGEST = 4096 * (1 - 2.0**-20)  # of a row of whole numbers, so that products and their sums stay below 2^24
MOST_DIM = 128  # of the approximate search
PER_CELL, MOST_CELLS, CELLS_SEARCHED = 100, 1024, 4
N_CANDIDATES = 8


class Similar:
    """The prompts in a cache, by their embeddings.

    Parameters
    ----------
    embeddings : array (n_rows, dim)
        Of all prompts that may come.
    known : array (n_known, dim)
        Other embeddings, around which the cells of the search are made.
    least : float
        The least similarity, a cosine, that counts.
    n_most : int
        How many prompts it may hold at once.

    Notes
    -----
    Embeddings of more than 128 dimensions are searched by 128 sums of them with random signs (Johnson and Lindenstrauss
    1984). The space is cut into cells, about one for 100 prompts, each around a known embedding (FAISS's ``IVFFlat``).
    The four cells nearest to a prompt are searched, and of the eight most similar prompts there true cosines are taken.
    So a similar prompt may be missed; in a cache for fewer than 500, only if eight others seem more similar.
    """

    def __init__(self, embeddings: EmbeddingArray, known: EmbeddingArray, least: float, n_most: int) -> None:
        self._least = least
        self._exact, squares = rounded(embeddings)
        self._squares: list[float] = squares.tolist()
        self._searched = searchable(self._exact, squares)
        n_cells = min(max(n_most // PER_CELL, 1), MOST_CELLS, len(known))
        centres = searchable(*rounded(known[np.linspace(0, len(known) - 1, n_cells).astype(np.int64)]))
        dim = centres.shape[1]
        self._cells = faiss.IndexFlatIP(dim)
        self._cells.add(centres)
        self._index = faiss.IndexIVFFlat(self._cells, dim, n_cells, faiss.METRIC_INNER_PRODUCT)
        self._index.is_trained = True
        self._index.nprobe = CELLS_SEARCHED
        self._index.set_direct_map_type(faiss.DirectMap.Hashtable)  # type: ignore[attr-defined]  # to remove one at once
        self._row_of: dict[int, int] = {}

    def add(self, slot: int, row: int) -> None:
        """Add the prompt of a row, by the slot of its answer."""
        self._row_of[slot] = row
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)  # to wake others takes ten times as long as to add one
        try:
            self._index.add_with_ids(self._searched[row : row + 1], np.array([slot]))
        finally:
            faiss.omp_set_num_threads(threads)

    def remove(self, slot: int) -> None:
        """Remove the prompt whose answer is in a slot."""
        del self._row_of[slot]
        self._index.remove_ids(np.array([slot]))  # type: ignore[arg-type]  # as its wrapper in Python allows

    def near(self, row: int) -> list[tuple[int, float]]:
        """Return the slots of similar prompts, each with its similarity to the prompt of a row."""
        if not self._row_of or self._squares[row] == 0:
            return []
        _, found = self._index.search(self._searched[row : row + 1], N_CANDIDATES)
        slots = [slot for slot in found[0].tolist() if slot >= 0]
        rows = [self._row_of[slot] for slot in slots]
        products = (self._exact[rows].astype(np.float64) @ self._exact[row].astype(np.float64)).tolist()
        square, squares = self._squares[row], self._squares
        near = []
        for slot, other, product in zip(slots, rows, products, strict=True):
            if product > 0:
                similarity = min(product / math.sqrt(square * squares[other]), 1.0)
                if similarity >= self._least:
                    near.append((slot, similarity))
        return near


def rounded(rows: EmbeddingArray) -> tuple[EmbeddingArray, FloatArray]:
    """Return rows (n, dim) rounded to 24 bits below their length, and the squares (n,) of these lengths."""
    exact = np.ascontiguousarray(rows, dtype=np.float64)
    _, exponent = np.frexp(np.sqrt(np.einsum("ij,ij->i", exact, exact)))  # length < 2^exponent
    exact = np.ldexp(np.rint(np.ldexp(exact, BITS - exponent[:, None])), exponent[:, None] - BITS)
    squares: FloatArray = np.einsum("ij,ij->i", exact, exact)
    return exact.astype(np.float32), squares


def searchable(rows: EmbeddingArray, squares: FloatArray) -> EmbeddingArray:
    """Return rows (n, dim), of these squared lengths (n,), as whole numbers in at most 128 dimensions."""
    dim, whole = rows.shape[1], lengthened(rows, squares)
    if dim > MOST_DIM:
        signs = np.random.default_rng(0).integers(2, size=(dim, MOST_DIM)) * 2.0 - 1.0
        sums = whole @ signs  # of whole numbers below 2^53, so exact
        whole = lengthened(sums, np.einsum("ij,ij->i", sums, sums))
    return np.ascontiguousarray(whole, dtype=np.float32)


def lengthened(rows: FloatArray | EmbeddingArray, squares: FloatArray) -> FloatArray:
    """Return rows (n, dim), of these squared lengths (n,), with lengths up to 4096, cut to whole numbers."""
    factor = LONGEST / np.sqrt(np.where(squares > 0, squares, 1.0))
    return np.trunc(rows * factor[:, None])
