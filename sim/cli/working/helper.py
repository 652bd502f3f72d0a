"""What a process that helps with a study does: it makes the same study once, and carries out what it is given.

``sim.cli.working.team`` starts it.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from omegaconf import OmegaConf

from sim.cli.building import build_policies, build_scenarios
from sim.cli.working.messages import Begin, Done, packed, shared_by, unpacked
from sim.errors import notes_to

LOOKS_EACH_S = 0.2


def get_ready(parent: int) -> None:
    """Begin the process's life, which ends with that of its parent, however that ends.

    What compiled solvers print is no part of what the command prints.
    """
    os.dup2(2, 1)
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()


def end_with(parent: int) -> None:
    """End this process, whatever it is at, when its parent is another, which takes in those whose own has died."""
    while os.getppid() == parent:
        time.sleep(LOOKS_EACH_S)
    os._exit(1)


def carried_out(begin: bytes, message: bytes) -> Done:
    """Return the outcome of a task of the study that ``begin`` describes."""
    notes: list[str] = []
    try:
        shared = made(begin)
        with notes_to(notes.append):
            work, task = unpacked(message, shared)
            return Done(list(work(task)), tuple(notes))
    except Exception as error:
        return failed(error, notes)


@lru_cache(maxsize=1)
def made(begin: bytes) -> Sequence[object]:
    """Return what all processes have, made of the configuration as the process that began it did."""
    told: Begin = unpacked(begin)
    config = OmegaConf.create(told.config)
    with notes_to(lambda text: None):  # the process that began it has told them
        policies = build_policies(config)
        scenarios = {
            name: replace(scenario, order=told.orders.get(name, scenario.order))
            for name, scenario in build_scenarios(config).items()
        }
        study = told.make(config, scenarios, {name: policies[name] for name in told.policies})
    return shared_by(study, scenarios)


def failed(error: Exception, notes: Sequence[str]) -> Done:
    """Return the outcome of a task that raised; an error that cannot travel goes by its name and its first line."""
    text = traceback.format_exc()
    try:
        unpacked(packed(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no reason given'])[0]}")
    return Done((), tuple(notes), error, text)
