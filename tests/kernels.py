"""Run the tests that a processor's kernels could break under several of them: ``python -m tests.kernels``.

BLAS, NumPy and FAISS choose their inner loops by the processor, and each loop adds in an order of its own. Most of them
can be asked for by a variable of the environment, so one machine stands in for several. A setting that this processor
cannot run is left out with a line that says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__  # type: ignore[import-not-found]

TESTS = (
    "tests/policies/test_estimators.py",
    "tests/policies/test_exact.py",
    "tests/world/test_affordable.py",
    "tests/assignment/test_certified.py",
    "tests/policies/test_fences.py",
    "tests/study/test_invariants.py",
    "tests/policies/test_policies.py",
    "tests/policies/test_steward.py",
    "tests/policies/test_box_minimum.py",
    "tests/study/test_statistics.py",
    "tests/caching/test_similar.py",
    "tests/systems/scored/test_uniroute.py",
    "tests/systems/scored/test_wise_router.py",
)
COMPARED = "tests/policies/test_everywhere.py"  # runs under all of the settings by itself
IN_USE = (
    "import faiss, numpy, scipy.linalg, threadpoolctl;"
    "every = threadpoolctl.threadpool_info();"
    "found = {(one['architecture'], one['num_threads']) for one in every if 'architecture' in one};"
    "print(', '.join(f'{kernel} on {threads}' for kernel, threads in sorted(found)),"
    "'; FAISS', faiss.SIMDConfig.get_level_name())"
)


@dataclass(frozen=True)
class Setting:
    """Variables of the environment, and the feature of the processor that they need, in NumPy's words."""

    name: str
    variables: dict[str, str]
    needs: str | None = None


def threads(number: int) -> dict[str, str]:
    """Variables that set how many threads every library has."""
    return {f"{library}_NUM_THREADS": str(number) for library in ("OPENBLAS", "OMP", "MKL")}


PLAIN_NUMPY = " ".join(feature for feature in __cpu_dispatch__ if __cpu_features__[feature])
SETTINGS = (
    Setting("as this processor has it, two threads", threads(2)),
    Setting("AVX-512", {"OPENBLAS_CORETYPE": "SkylakeX", **threads(1)}, "X86_V4"),
    Setting("AVX2", {"OPENBLAS_CORETYPE": "Haswell", "FAISS_SIMD_LEVEL": "AVX2", **threads(1)}, "X86_V3"),
    Setting("AVX2, two threads", {"OPENBLAS_CORETYPE": "Zen", "FAISS_SIMD_LEVEL": "AVX2", **threads(2)}, "X86_V3"),
    Setting(
        "no vectors beyond SSE4",
        {
            "OPENBLAS_CORETYPE": "Nehalem",
            "FAISS_SIMD_LEVEL": "NONE",
            "NPY_DISABLE_CPU_FEATURES": PLAIN_NUMPY,
            **threads(1),
        },
        "X86_V2",
    ),
)


def runs_here(setting: Setting) -> bool:
    """Return whether this processor can run a setting."""
    return setting.needs is None or bool(__cpu_features__.get(setting.needs, False))


def main() -> int:
    """Run the tests under each setting; return 1 if any of them failed."""
    failed = []
    for setting in SETTINGS:
        if not runs_here(setting):
            print(f"kernels: {setting.name}: left out, as this processor has no {setting.needs}", flush=True)
            continue
        environment = {**os.environ, **setting.variables}
        used = subprocess.run(
            [sys.executable, "-c", IN_USE], env=environment, capture_output=True, text=True, check=True
        )
        print(f"kernels: {setting.name}: {used.stdout.strip()}", flush=True)
        workers = "2" if setting.variables["OMP_NUM_THREADS"] == "1" else "0"
        command = [sys.executable, "-m", "pytest", "-n", workers, *TESTS]
        if subprocess.run(command, env=environment, check=False).returncode:
            failed.append(setting.name)
    if subprocess.run([sys.executable, "-m", "pytest", "-m", "slow or not slow", COMPARED], check=False).returncode:
        failed.append("all of them together")
    print(f"kernels: failed under {'; '.join(failed)}" if failed else "kernels: passed under all of them", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
