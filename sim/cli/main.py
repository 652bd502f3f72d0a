"""The command line: words in, an exit code out. It knows verbs and errors, not what a verb does."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import metadata

from hydra import initialize_config_module
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sim.cli.configuration import GROUPS, configure, nearest, options, with_directories
from sim.cli.verbs.compare import study
from sim.cli.verbs.diff import diff
from sim.cli.verbs.explain import explain
from sim.cli.verbs.fit import fit_service
from sim.cli.verbs.plan import plan
from sim.cli.verbs.ratio import ratio
from sim.cli.verbs.report import report
from sim.cli.verbs.sweep import sweep
from sim.cli.verbs.validate import validate
from sim.errors import notes_to

VERBS = {
    "run": ("one policy on a scenario", study),
    "compare": ("several policies on the same queries at the same times", study),
    "ratio": ("policies in several orders at several sizes, as shares of the hindsight optimum", ratio),
    "plan": ("the fewest replicas, largest load, smallest budget or cheapest fleet that meets targets", plan),
    "explain": ("where the quality of policies went, and what more budget would be worth", explain),
    "validate": ("closed forms of queueing theory beside simulated figures", validate),
    "fit": ("service parameters from measured requests", fit_service),
    "report": ("report.html of output directories anew, from their files", report),
    "diff": ("how far two studies are apart, and which of many policies is the best", diff),
}
TAKE_DIRECTORIES = ("report", "diff")
SWEEP = "policies at every combination of the values of keys, such as fleet.size=2,4,8"
USER_ERRORS = (ValueError, OSError, ImportError, RuntimeError, HydraException, OmegaConfBaseException)
USAGE = """\
usage: switchyard VERB [--cfg] [--overwrite] [--traceback] [KEY=VALUE ...]
       switchyard report|diff DIR [DIR ...] [KEY=VALUE ...]

verbs:
{verbs}

options:
  --cfg        print the configuration and do nothing
  --overwrite  replace what another command wrote to out=DIR, once the new output is whole
  --traceback  on an error, print where it happened
  --version    print the version

KEY=VALUE picks an option of a group or sets a key (Hydra's override grammar):
{groups}

examples:
  switchyard run policy=port_exact order=random replications=10
  switchyard compare policy=[random,port,port_exact] budget=uniform budget.total=0.5 out=results
  switchyard run policy=port estimator=ridge policy.port.eps=0.05
  switchyard ratio policy=[port_exact,port_fallback] order=[random,given] sizes=[500,1000,2000]
  switchyard sweep n_queries=1000,2000,4000 fleet.size=2,4,8 policy=[port,port_fallback] launcher=joblib
  switchyard fit requests=measured.parquet slots=128 batched_tokens=2048 out=fitted
  switchyard diff outputs/before outputs/after out=outputs/difference
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 done, 1 failed, 2 not understood."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    flags = {word for word in words if word.startswith("--")} | {"-h" for word in words if word == "-h"}
    words = [word for word in words if word not in flags]
    with initialize_config_module("conf", version_base="1.3"), notes_to_stderr():
        if flags & {"--help", "-h"} or not (words or flags):
            sys.stdout.write(usage())
            return 0
        if "--version" in flags:
            sys.stdout.write(f"switchyard {metadata.version('llm-switchyard')}\n")
            return 0
        unknown_flags = flags - {"--cfg", "--overwrite", "--traceback"}
        verbs = [*VERBS, "sweep"]
        if unknown_flags or not words or words[0] not in verbs:
            wrong = min(unknown_flags) if unknown_flags else (words[0] if words else "")
            known = ["--cfg", "--help", "--overwrite", "--traceback", "--version"] if unknown_flags else verbs
            return complain(f"unknown {'option' if unknown_flags else 'verb'} {wrong!r}{nearest(wrong, known)}", 2)
        try:
            if words[0] == "sweep":  # which has a configuration for each of its points
                return sweep(words[1:], "--cfg" in flags, "--overwrite" in flags)
            config = configure(words[0], with_directories(words[1:]) if words[0] in TAKE_DIRECTORIES else words[1:])
            if "--cfg" in flags:
                sys.stdout.write(OmegaConf.to_yaml(config, resolve=True))
                return 0
            OmegaConf.update(config, "command", words, force_add=True)  # so that reports say how to run it again
            OmegaConf.update(config, "overwrite", "--overwrite" in flags, force_add=True)
            return VERBS[words[0]][1](words[0], config)
        except KeyboardInterrupt:
            return complain("stopped; nothing was written", 130)
        except USER_ERRORS as error:
            if "--traceback" in flags:
                raise
            return complain((str(error).strip().splitlines() or [type(error).__name__])[0], 1)


def notes_to_stderr() -> AbstractContextManager[None]:
    """Print each different note once, as one line on stderr; leave every other warning as it is."""
    return notes_to(lambda text: sys.stderr.write(f"switchyard: note: {text}\n"))


def complain(message: str, code: int) -> int:
    """Write one line to stderr and return the code."""
    sys.stderr.write(f"switchyard: {message}\n")
    return code


def usage() -> str:
    """Return the help, with every group's options."""
    groups = [f"  {group:<11}{', '.join(options(group))}" for group in GROUPS]
    verbs = [f"  {verb:<11}{what}" for verb, (what, _) in {**VERBS, "sweep": (SWEEP, sweep)}.items()]
    return USAGE.format(verbs="\n".join(verbs), groups="\n".join(groups))
