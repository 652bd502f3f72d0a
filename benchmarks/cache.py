"""A look-up by similarity in a cache of 100,000 answers: time, and what the approximate search misses.

python -m benchmarks.cache [n_entries]
"""

from __future__ import annotations

import sys
import time

import numpy as np

from sim.interface import EmbeddingArray
from sim.world.caching.similar import Similar

N_TOPICS, N_LOOKED_UP, ROUNDS = 200, 1000, 7
LEAST = 0.8
MOST_US = 100


def prompts(n: int, dim: int, rng: np.random.Generator) -> tuple[EmbeddingArray, EmbeddingArray]:
    """Return embeddings (n, dim) in topics, and paraphrases of some of them (n_looked_up, dim), cosines around 0.95."""
    topics = rng.normal(size=(N_TOPICS, dim))
    stored = topics[rng.integers(N_TOPICS, size=n)] + rng.normal(size=(n, dim))
    chosen = stored[rng.integers(n, size=N_LOOKED_UP)]
    noise = rng.normal(size=chosen.shape) * np.linalg.norm(chosen, axis=1, keepdims=True) / np.sqrt(dim)
    return stored.astype(np.float32), (chosen + 0.33 * noise).astype(np.float32)


def main(n: int) -> None:
    """Print one line per number of dimensions: the best median of several rounds, adding, removing, and the misses."""
    for dim in (64, 384):
        stored, others = prompts(n, dim, np.random.default_rng(0))
        index = Similar(np.concatenate([stored, others]), stored[:: max(n // 4000, 1)], LEAST, n)
        began = time.perf_counter()
        for slot in range(n):
            index.add(slot, slot)
        add_us = (time.perf_counter() - began) / n * 1e6
        medians = []
        for _ in range(ROUNDS):
            times = []
            for row in range(n, n + N_LOOKED_UP):
                began = time.perf_counter()
                index.near(row)
                times.append(time.perf_counter() - began)
            medians.append(float(np.median(times)) * 1e6)
        unit = stored / np.linalg.norm(stored, axis=1, keepdims=True)
        of_others = others / np.linalg.norm(others, axis=1, keepdims=True)
        best = (of_others @ unit.T).argmax(axis=1)
        missed = sum(int(best[number]) not in dict(index.near(n + number)) for number in range(N_LOOKED_UP))
        began = time.perf_counter()
        for slot in range(0, n, 10):
            index.remove(slot)
        remove_us = (time.perf_counter() - began) / len(range(0, n, 10)) * 1e6
        print(
            f"{n:,} entries, dim {dim:3}: look-up {min(medians):.0f} us (at most {MOST_US}), add {add_us:.0f} us, "
            f"remove {remove_us:.0f} us, the most similar one missed in {missed / N_LOOKED_UP:.1%}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
