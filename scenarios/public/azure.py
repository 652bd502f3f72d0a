"""Builds the traces that Azure published of its LLM services in 2023: when requests came, and how long they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scenarios.public.fetching import Files, github, whole
from scenarios.public.tables import write_story

LICENCE = (
    "CC-BY-4.0, Microsoft; cite Patel and others, Splitwise: Efficient generative LLM inference using phase "
    "splitting, ISCA 2024"
)
SOURCE = github("Azure/AzurePublicDataset", "b469a113", LICENCE)
COLUMNS = {"ContextTokens": "input_tokens", "GeneratedTokens": "output_tokens"}


@dataclass(frozen=True)
class AzureTrace:
    """One of the two traces of 2023.

    Parameters
    ----------
    kind : str
        ``conv`` (conversations) or ``code``.
    """

    kind: str

    @property
    def what(self) -> str:
        """What it is, in a line."""
        return f"Azure LLM inference trace 2023, {self.kind}: arrival times and tokens"

    @property
    def licence(self) -> str:
        """Its licence."""
        return LICENCE

    def build(self, name: str, folder: Path, given: Path | None, tell: Callable[[str], object]) -> list[Path]:
        """Write ``traces/NAME.parquet``: ``arrival_s`` from the first request, ``input_tokens``, ``output_tokens``.

        Raises
        ------
        ValueError
            If the file is not as it was published.
        OSError
            If it cannot be had.
        """
        folder = folder / "traces"
        files = Files(SOURCE, folder / "sources" / name, folder / f"{name}.lock.json", given, tell)
        path = files.path(f"data/AzureLLMInferenceTrace_{self.kind}.csv")
        frame = read(path)
        file = folder / f"{name}.parquet"
        whole(file, lambda unfinished: frame.to_parquet(unfinished, index=False))
        story = {"rows": len(frame), "columns": list(frame.columns)}
        written = [file, *write_story(folder, name, SOURCE, story)]
        files.remember()
        return written


def read(path: Path) -> pd.DataFrame:
    """Return a published trace with our columns, in order of time; raise ValueError if it is another file."""
    try:
        frame = pd.read_csv(path)
        time = pd.to_datetime(frame["TIMESTAMP"], format="ISO8601")
        frame = frame.rename(columns=COLUMNS)[list(COLUMNS.values())].astype("int32")
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is not the published trace: {error}") from error
    if not len(frame) or not time.is_monotonic_increasing:
        raise ValueError(f"{path} is not the published trace: it has no rows, or its times go back")
    frame.insert(0, "arrival_s", (time - time.iloc[0]).dt.total_seconds())
    return frame
