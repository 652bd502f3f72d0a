"""Wall time and peak memory of the published comparison on the two real tables, over PORT's released code.

    python -m benchmarks.tables [folder of the tables, ../shared/data by default]

The authors' code took 1,254 s on ZeroEval (1,200 queries x 27 models, nine policies and two optima, one core).
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

AUTHORS_S = {"zeroeval": 1254.0}


def main(folder: Path) -> None:
    """Print one line per table."""
    for name in ("zeroeval", "mmlu_pro"):
        if not (folder / f"{name}.parquet").exists():
            print(f"{name:9} not measured: there is no {folder / name}.parquet")
            continue
        with tempfile.TemporaryDirectory() as out:
            words = [
                "compare",
                f"experiment={name}",
                "replications=1",
                "roundings=0",
                f"workload.path={folder / name}.parquet",
                f"workload.embeddings={folder / name}_embeddings.npy",
                f"out={out}/o",
            ]
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "sim", *words], check=True, stdout=subprocess.DEVNULL)
            took_s = time.perf_counter() - began
        peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6  # the largest child so far
        times = f"   {AUTHORS_S[name] / took_s:.0f} times the authors' speed" if name in AUTHORS_S else ""
        print(f"{name:9} {took_s:6.1f} s   peak {peak_gb:.2f} GB{times}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data"))
