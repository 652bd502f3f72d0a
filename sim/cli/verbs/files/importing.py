"""Carries out the verb import: says what is in a foreign file, and writes it in our own form. It knows no format."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from omegaconf import DictConfig, OmegaConf

from sim.cli.configuration import build
from sim.errors import UnreadableError
from sim.study.output.archive import file_hashes
from sim.study.output.directory import replace_file

ENDINGS = (".parquet", ".csv")
WIDTH = 9  # of what a line is about


class Imported(Protocol):
    """What the reader offers: the table, also as CSV can keep it, what was seen, and what may be done with it."""

    frame: pd.DataFrame
    lines: Sequence[tuple[str, str]]
    uses: Sequence[str]
    story: Mapping[str, Any]

    @property
    def flat(self) -> pd.DataFrame:
        """The table as CSV can keep it."""


def import_file(verb: str, config: DictConfig) -> int:
    """Carry out the verb; return 0.

    Raises
    ------
    UnreadableError
        If the file, or what is to be written, cannot be.
    """
    path, out = asked(config)
    settings = ("format", "columns", "duplicates", "prices", "price_as")
    given = {name: config[name] for name in settings}
    plain = {name: OmegaConf.to_container(one) if OmegaConf.is_config(one) else one for name, one in given.items()}
    try:
        made: Imported = build(config.read, "read")(path, **plain)
    except (ValueError, OSError) as error:
        raise UnreadableError(str(error)) from error
    told = [f"{name:<{max(WIDTH, *(len(one) + 2 for one, _ in made.lines))}}{text}" for name, text in made.lines]
    sys.stdout.write("".join(f"{line}\n" for line in told))
    if out is None:
        sys.stdout.write("nothing is written; out=FILE.parquet or out=FILE.csv says where\n")
    else:
        write(made, path, out)
        sys.stdout.write(f"written to {out}: {', '.join(map(str, made.frame.columns[:8]))}")
        sys.stdout.write(f" and {len(made.frame.columns) - 8} more\n" if len(made.frame.columns) > 8 else "\n")
        sys.stdout.write("".join(f"use it: {filled(use, out)}\n" for use in made.uses))
    return 0


def asked(config: DictConfig) -> tuple[str, Path | None]:
    """Return the file to read and the file to write, if any; raise UnreadableError for what cannot be one."""
    if len(config.files) != 1:
        raise UnreadableError(f"import reads one file, and {len(config.files)} are given: switchyard import FILE")
    out = None if config.out is None else Path(config.out)
    if out is not None and out.suffix not in ENDINGS:
        raise UnreadableError(f"out is {out}; it must end in {' or '.join(ENDINGS)}")
    if out is not None and (out.is_dir() or (out.exists() and not config.get("overwrite"))):
        raise UnreadableError(f"{out} is there already; --overwrite replaces it, unless it is a folder")
    if out is not None and out.exists() and Path(config.files[0]).exists() and out.samefile(config.files[0]):
        raise UnreadableError(f"{out} is the file that is read; let out be another one")
    return str(config.files[0]), out


def filled(command: str, path: Path) -> str:
    """Return a command with a path in the place of FILE, in quotes for Hydra and the shell where it needs them.

    >>> print(filled("switchyard run trace=FILE", Path("my trace.csv")))
    switchyard run "trace='my trace.csv'"
    """
    if re.fullmatch(r"[\w./~+-]+", str(path)):
        return command.replace("FILE", str(path))
    quoted = "'" + str(path).replace("'", "\\'") + "'"
    words = [f'"{word.replace("FILE", quoted)}"' if "FILE" in word else word for word in command.split(" ")]
    return " ".join(words)


def write(made: Imported, path: str, out: Path) -> None:
    """Write the table and, beside it in ``NAME.json``, what it was made of, each when it is whole."""
    flat = made.flat if out.suffix == ".csv" else None
    out.parent.mkdir(parents=True, exist_ok=True)
    if flat is not None:
        replace_file(out, lambda partial: flat.to_csv(partial, index=False))
    else:
        replace_file(out, lambda partial: made.frame.to_parquet(partial, index=False))
    file = Path(path)
    story = {"made_of": path, "sha256": file_hashes((file,))[str(file)] if file.is_file() else None, **made.story}
    text = json.dumps(story, indent=2, ensure_ascii=False) + "\n"
    replace_file(out.with_name(f"{out.name}.json"), lambda partial: partial.write_text(text, encoding="utf-8"))
