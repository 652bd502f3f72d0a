"""Runs the command line: words in, an exit code out. It knows verbs and errors, not what a verb does.

Each verb's module is imported when it is asked for, because drawing and solving take seconds to import.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sim.cli.configuration import configure
from sim.cli.help import help_of_verb, usage
from sim.cli.project import opened
from sim.cli.verbs import VERBS
from sim.cli.words import nearest, with_plain_words
from sim.errors import UnreadableError, notes_to

# The key of words without KEY=, by verb.
TAKE_WORDS = {
    "report": "directories",
    "replay": "directories",
    "diff": "directories",
    "data": "tables",
    "import": "files",
    "fit": "requests",
}
USER_ERRORS = (ValueError, OSError, ImportError, RuntimeError, HydraException, OmegaConfBaseException)
FLAGS = (
    "--answer",
    "--cfg",
    "--help",
    "--no-report",
    "--overwrite",
    "--project",
    "--query",
    "--suggest",
    "--traceback",
    "--version",
)
WITHOUT_REPORT = ("check", "data", "import", "new", "replay", "report", "story")


class MisunderstoodError(Exception):
    """Words that are no command; the message is one line."""


class Parser(argparse.ArgumentParser):
    """Raises instead of printing a page and leaving."""

    def error(self, message: str) -> NoReturn:
        """Raise."""
        needs = {
            "--project": "a folder, as in --project DIR",
            "--query": "a number, as in --query 17",
            "--suggest": "a goal, as in --suggest cost",
        }
        [said] = [f"{flag} needs {value}" for flag, value in needs.items() if flag in message] or [message]
        raise MisunderstoodError(said)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 done, 1 failed, 2 not understood."""
    with notes_to_stderr():
        try:
            asked = understood(list(sys.argv[1:] if arguments is None else arguments))
        except MisunderstoodError as error:
            return complain(str(error), 2)
        if asked.version:
            sys.stdout.write(f"switchyard {metadata.version('llm-switchyard')}\n")
            return 0
        try:
            return carry_out(asked)
        except KeyboardInterrupt:
            return complain("stopped; nothing was written", 130)
        except USER_ERRORS as error:
            if asked.traceback:
                raise
            line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            return complain(line, 2 if isinstance(error, UnreadableError) else 1)


def understood(words: Sequence[str]) -> argparse.Namespace:
    """Return what the words ask for: flags, ``verb`` (None without one) and ``words``; raise MisunderstoodError."""
    parser = Parser(prog="switchyard", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--project", type=Path)
    parser.add_argument("--query")
    parser.add_argument("--suggest")
    for flag in ("--answer", "--cfg", "--no-report", "--overwrite", "--traceback", "--version"):
        parser.add_argument(flag, action="store_true")
    asked, rest = parser.parse_known_intermixed_args(words)
    if rest:
        raise MisunderstoodError(f"unknown option {rest[0]!r}{nearest(rest[0].partition('=')[0], FLAGS)}")
    asked.verb = asked.words[0] if asked.words else None
    asked.words = asked.words[1:] + ([f"suggest={asked.suggest}"] if asked.suggest is not None else [])
    if asked.verb not in (*VERBS, None) or (asked.verb is None and not asked.help and not asked.version):
        if asked.verb is None:
            raise MisunderstoodError(f"no verb is given; give one of {', '.join(VERBS)}, or --help")
        raise MisunderstoodError(f"unknown verb {asked.verb!r}{nearest(asked.verb, list(VERBS))}")
    if asked.no_report and asked.verb in WITHOUT_REPORT:
        raise MisunderstoodError(f"--no-report is for studies and not for {asked.verb}; leave it out")
    for flag, given, verb in (("--query", asked.query is not None, "explain"), ("--answer", asked.answer, "story")):
        if given and asked.verb != verb:
            raise MisunderstoodError(f"{flag} is for {verb} and not for {asked.verb}; leave it out")
    return asked


def carry_out(asked: argparse.Namespace) -> int:
    """Do what is asked for; return the exit code."""
    with opened(asked.project, asked.words) as project:
        if asked.help and asked.verb is None:
            sys.stdout.write(usage(project))
            return 0
        if asked.help:
            sys.stdout.write(help_of_verb(asked.verb, asked.words, project))
            return 0
        work = function(asked.verb)
        if asked.verb == "sweep":  # which has a configuration for each of its points
            return int(work(asked.words, asked.cfg, asked.overwrite, not asked.no_report))
        if asked.verb == "check":  # which has a configuration for each of its worlds
            if asked.cfg:
                sys.stdout.write(OmegaConf.to_yaml(configure("check", asked.words), resolve=True))
                return 0
            return int(work(asked.words))
        if asked.verb == "story":  # whose words choose an experiment
            return int(work(asked.words, asked.answer, asked.cfg))
        if asked.query is not None:  # of a directory, which has a configuration of its own
            from sim.cli.verbs.telling.query import explain_query

            return explain_query(asked.words, asked.query)
        if asked.verb == "new":  # whose words are no configuration
            return int(work(asked.words, asked.project or Path()))
        if asked.verb == "explain" and (plain := [word for word in asked.words if "=" not in word]):
            example = f"switchyard explain {plain[0]} --query 17"
            raise ValueError(f"explain takes a directory, {plain[0]}, where one of its queries is asked for: {example}")
        words = with_plain_words(asked.words, TAKE_WORDS[asked.verb]) if asked.verb in TAKE_WORDS else asked.words
        config = configure(asked.verb, words)
        if asked.cfg:
            sys.stdout.write(OmegaConf.to_yaml(config, resolve=True))
            return 0
        OmegaConf.update(config, "command", [asked.verb, *asked.words], force_add=True)  # for reports to say
        OmegaConf.update(config, "overwrite", asked.overwrite, force_add=True)
        OmegaConf.update(config, "reports", not asked.no_report, force_add=True)
        return int(work(asked.verb, config))


def function(verb: str) -> Callable[..., Any]:
    """Return the function of a verb, from its module in ``sim.cli.verbs``."""
    module, _, name = VERBS[verb].function.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(f"sim.cli.verbs.{module}"), name)
    return found


def notes_to_stderr() -> AbstractContextManager[None]:
    """Print each different note once, as one line on stderr; leave every other warning as it is."""
    return notes_to(lambda text: sys.stderr.write(f"switchyard: note: {text}\n"))


def complain(message: str, code: int) -> int:
    """Write one line to stderr and return the code."""
    sys.stderr.write(f"switchyard: {message}\n")
    return code
