"""The search for similar prompts: what it may miss, what it never does, and that it is the same whatever adds first."""

import numpy as np
import numpy.typing as npt
import pytest

from sim.interface import EmbeddingArray
from sim.world.caching.similar import Similar, rounded, searchable


def paraphrases(n: int, dim: int, seed: int) -> tuple[EmbeddingArray, EmbeddingArray]:
    """Embeddings (n, dim) in 20 topics, and one near each of them, all as single-precision numbers."""
    rng = np.random.default_rng(seed)
    prompts = rng.normal(size=(20, dim))[rng.integers(20, size=n)] + rng.normal(size=(n, dim))
    others = prompts + 0.3 * rng.normal(size=(n, dim))
    return prompts.astype(np.float32), others.astype(np.float32)


def cosines(one: EmbeddingArray, others: EmbeddingArray) -> npt.NDArray[np.float64]:
    a, b = one.astype(np.float64), others.astype(np.float64)
    return np.asarray(b @ a / np.linalg.norm(a) / np.linalg.norm(b, axis=1))


@pytest.mark.parametrize("dim", [8, 64, 384])
def test_it_finds_nearly_all_that_a_scan_finds_and_nothing_that_is_less_similar(dim: int) -> None:
    prompts, others = paraphrases(3000, dim, seed=0)
    history, _ = paraphrases(500, dim, seed=0)
    index = Similar(np.concatenate([prompts, others[:200]]), history, 0.8, 3000)
    for slot in range(3000):
        index.add(slot, slot)
    found = 0
    for number in range(200):
        true = cosines(others[number], prompts)
        near = dict(index.near(3000 + number))
        for slot, similarity in near.items():
            assert similarity == pytest.approx(true[slot], abs=1e-6)
            assert similarity >= 0.8
        found += int(true.argmax()) in near
    assert found >= 190


def test_what_is_removed_is_not_found_and_its_slot_may_be_taken_again() -> None:
    index = Similar(np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32), 0.9, 4)
    index.add(0, 0)
    index.add(1, 1)
    assert index.near(0) == [(0, 1.0)]
    index.remove(0)
    assert index.near(0) == []
    index.add(0, 2)
    assert index.near(2) == [(0, 1.0)]
    assert index.near(0) == []


@pytest.mark.parametrize("dim", [8, 384])
def test_no_sum_is_rounded(dim: int) -> None:
    """Products of rounded rows are sums that no order of adding changes; so are those of the search."""
    prompts, _ = paraphrases(50, dim, seed=1)
    exact, squares = rounded(prompts)
    backwards = exact[:, ::-1].astype(np.float64)
    assert np.array_equal(exact.astype(np.float64) @ exact.astype(np.float64).T, backwards @ backwards.T)
    assert np.array_equal(np.diag(backwards @ backwards.T), squares)
    whole = searchable(exact, squares)
    assert whole.shape[1] == min(dim, 128)
    assert np.array_equal(whole, np.trunc(whole))
    assert np.array_equal((whole @ whole.T).astype(np.int64), whole.astype(np.int64) @ whole.astype(np.int64).T)
    assert np.abs(exact - prompts).max() <= 2.0**-24 * np.sqrt(squares.max())
