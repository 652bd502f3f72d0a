"""Is the life of a process that helps with a study: it makes the same study, and then carries out what it is given.

It is started by ``sim.cli.working.team``, hears on its standard input and answers on its standard output. When its
input ends, because the study is over or the process that began it has died, it ends too.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import IO

from omegaconf import OmegaConf
from threadpoolctl import threadpool_limits

from sim.cli.building import build_policies, build_scenarios
from sim.cli.working.messages import Begin, Done, packed, receive, send, shared_by, unpacked
from sim.errors import notes_to


def help_out() -> None:
    """Make the study that the first message describes, then carry out tasks."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what compiled solvers print must not come between answers
    heard: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=listen, args=(sys.stdin.buffer, heard), daemon=True).start()
    with threadpool_limits(1), contextlib.suppress(BrokenPipeError):
        told: Begin = unpacked(heard.get())
        try:
            with notes_to(lambda text: None):  # the process that began it has told them
                shared = made(told)
        except Exception as error:
            send(answers, packed(failed(error, ())))
            return
        send(answers, packed(Done(())))
        while True:
            send(answers, carried_out(heard.get(), shared))


def made(told: Begin) -> Sequence[object]:
    """Return what all processes have, made of the configuration as the process that began it did."""
    config = OmegaConf.create(told.config)
    policies = build_policies(config)
    scenarios = {
        name: replace(scenario, order=told.orders.get(name, scenario.order))
        for name, scenario in build_scenarios(config).items()
    }
    study = told.make(config, scenarios, {name: policies[name] for name in told.policies})
    return shared_by(study, scenarios)


def listen(stream: IO[bytes], heard: queue.Queue[bytes]) -> None:
    """Hand over messages; end this process, whatever it is at, when there can be no more."""
    while (message := receive(stream)) is not None:
        heard.put(message)
    os._exit(0)


def carried_out(message: bytes, shared: Sequence[object]) -> bytes:
    """Return the packed outcome of a task."""
    notes: list[str] = []
    try:
        with notes_to(notes.append):
            work, task = unpacked(message, shared)
            return packed(Done(list(work(task)), tuple(notes)))
    except Exception as error:
        return packed(failed(error, notes))


def failed(error: Exception, notes: Sequence[str]) -> Done:
    """Return the outcome of a task that raised; an error that cannot travel goes by its name and its first line."""
    text = traceback.format_exc()
    try:
        unpacked(packed(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no reason given'])[0]}")
    return Done((), tuple(notes), error, text)
