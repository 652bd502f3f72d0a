"""The default study with 10 replications, whole commands, in one process and in two, with the report and without.

python -m benchmarks.processes.workers [rounds: 3 by default, of which the fastest counts] [words, such as ratio]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

STUDY = ("compare", "replications=10")
WITH, WITHOUT = "with its report", "without"


def took_s(words: tuple[str, ...], workers: int, what: str) -> float:
    """Return the seconds of a whole command."""
    with tempfile.TemporaryDirectory() as folder:
        more = [f"workers={workers}", f"out={folder}/out", *(["--no-report"] if what == WITHOUT else [])]
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sim", *words, *more], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began


def main(rounds: int, words: tuple[str, ...]) -> None:
    """Print the times, and how busy the machine was before each round; one and two take turns."""
    for what in (WITHOUT, WITH):
        times: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(rounds):
            load = os.getloadavg()[0]
            for workers, found in times.items():
                found.append(took_s(words, workers, what))
            one, two = times[1][-1], times[2][-1]
            print(f"{what}: {one:.1f} s in one process, {two:.1f} s in two, {one / two:.2f} times (load {load:.1f})")
        one, two = min(times[1]), min(times[2])
        print(f"{' '.join(words)}, {what}, the fastest: {one:.1f} s and {two:.1f} s, {one / two:.2f} times as fast")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, tuple(sys.argv[2:]) or STUDY)
