"""Carries out the verb replay: from output directories to one page that plays what happened."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from sim.errors import Note
from sim.show.replay.page import MARK, nothing, replay_page
from sim.show.replay.record import Study, Told, chosen, read_study
from sim.study.output.directory import replace_file

FILE = "replay.html"


def replay(verb: str, config: DictConfig) -> int:
    """Carry out the verb: write the page, into the first directory unless ``out`` says where; return 0."""
    if not config.directories:
        raise ValueError(
            "no directory is given; give one or more of run or compare, as in: switchyard replay outputs/demo"
        )
    if config.queries < 1:
        raise ValueError(f"queries is {config.queries}; it must be at least 1, the queries that are drawn one by one")
    folders = [Path(directory) for directory in config.directories]
    path = folders[0] / FILE if config.out is None else Path(config.out)
    studies = [read_study(folder, config.replication) for folder in folders]
    check_replaceable(path, bool(config.get("overwrite")))
    try:
        policies = chosen(studies, None if config.policies is None else list(config.policies))
        text = replay_page(studies, policies, config.queries, telling(config, studies, policies))
    except KeyError as error:
        raise ValueError(f"a table of {folders[0]} lacks {error}; it must be as its verb wrote it") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda partial: partial.write_text(text, encoding="utf-8"))
    name_output(path)
    sys.stdout.write(f"written to {path}\n")
    return 0


def telling(config: DictConfig, studies: list[Study], policies: list[str]) -> Callable[[Study, str], Told]:
    """Return what tells reasons and prices: nothing where they are not wanted, or the studies cannot be run again."""
    if not config.reasons:
        return nothing
    from sim.cli.verbs.telling.reasons import reasons_of  # which imports all that runs a study

    try:
        return reasons_of(studies, policies, config.queries)
    except (ValueError, OSError) as error:
        warnings.warn(
            Note(f"the page has no reasons and no prices, as the study cannot be run again: {error}"), stacklevel=2
        )
        return nothing


def check_replaceable(path: Path, overwrites: bool) -> None:
    """Raise FileExistsError if something else than a replay lies where the page is to be."""
    if path.is_dir():
        raise FileExistsError(f"out is {path}, a directory; give the name of a file, such as {path / FILE}")
    if path.exists() and not overwrites and MARK not in path.read_text(encoding="utf-8", errors="replace")[:2000]:
        raise FileExistsError(f"{path} exists and is no replay; choose another with out=FILE, or give --overwrite")


def name_output(path: Path) -> None:
    """Let the manifest of the directory name the page, so that it goes with a run that is made again."""
    manifest = path.parent / "manifest.json"
    if not manifest.is_file():
        return
    whole = json.loads(manifest.read_text())
    if path.name not in whole.get("outputs", [path.name]):
        whole["outputs"] = sorted([*whole["outputs"], path.name])
        text = json.dumps(whole, indent=2, sort_keys=True) + "\n"
        replace_file(manifest, lambda partial: partial.write_text(text))
