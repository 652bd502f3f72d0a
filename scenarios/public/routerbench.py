"""Fetches the published RouterBench pickle (arXiv 2403.12031), which ``workload=routerbench`` reads as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scenarios.public.fetching import Files, Source, whole
from scenarios.public.tables import write_story
from scenarios.readers.pickled import read_pickle

LICENCE = "not stated in the file; see the page of withmartian/routerbench before you use it"
SOURCE = Source(
    "withmartian/routerbench", "main", "https://huggingface.co/datasets/withmartian/routerbench/resolve/main/", LICENCE
)
FILE = "routerbench_0shot.pkl"


@dataclass(frozen=True)
class RouterBenchPickle:
    """The pickle, of no fixed revision; its checksum is recorded when it is first fetched."""

    @property
    def what(self) -> str:
        """What it is, in a line."""
        return "RouterBench, some 36,000 queries x 11 models, as published: for workload=routerbench"

    @property
    def licence(self) -> str:
        """Its licence."""
        return LICENCE

    def build(self, name: str, folder: Path, given: Path | None, tell: Callable[[str], object]) -> list[Path]:
        """Write the pickle to the folder once it is seen to hold a data frame and nothing that acts.

        Raises
        ------
        ValueError
            If it holds anything else.
        OSError
            If it cannot be had.
        """
        files = Files(SOURCE, folder / "sources" / name, folder / f"{name}.lock.json", given, tell)
        path = files.path(FILE)
        rows = len(read_pickle(path))
        content = path.read_bytes()
        file = folder / FILE
        whole(file, lambda unfinished: unfinished.write_bytes(content))
        written = [file, *write_story(folder, name, SOURCE, {"rows": rows})]
        files.remember()
        return written
