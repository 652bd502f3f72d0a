"""How much processor time the command takes before it does any work, beside Python itself and what it imports.

Each line is the least of several runs, in seconds of processor time (user and system), so that a busy machine matters
little; the last column is that over the time to import pandas, which any such command would take.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile

RUNS = 5
SMALL = ["workload.n_queries=100", "workload.n_history=100", "policy=random"]
COMMANDS = {
    "python itself": ["-c", "pass"],
    "import pandas": ["-c", "import pandas"],
    "import seaborn": ["-c", "import seaborn"],
    "switchyard --help": ["-m", "sim", "--help"],
    "switchyard run --help": ["-m", "sim", "run", "--help"],
    "switchyard run --cfg": ["-m", "sim", "run", *SMALL, "--cfg"],
    "run's modules and parts, no simulation": [
        "-c",
        "import sim.cli.verbs.compare\n"
        "from sim.cli.api import policies, scenario\n"
        f"scenario(*{SMALL[:2]}), policies('random')",
    ],
    "switchyard run, 100 queries, with report and figures": ["-m", "sim", "run", *SMALL, "out=o", "--overwrite"],
}


def processor_s(words: list[str]) -> float:
    """Return the least processor time of a Python command, in seconds."""
    least = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(RUNS):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])}
            subprocess.run([sys.executable, *words], cwd=folder, env=environment, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least


def main() -> None:
    """Print a line for each command."""
    took_s = {name: processor_s(words) for name, words in COMMANDS.items()}
    for name, seconds in took_s.items():
        print(f"{name:<54}{seconds:6.2f} s  {seconds / took_s['import pandas']:5.2f} x import pandas")


if __name__ == "__main__":
    main()
