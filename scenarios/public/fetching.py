"""Brings the files of a published source, and holds them to the checksums of the first time. It knows no format.

The sources publish no checksums. That of a file as it was first met stands in a lock file beside the table.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

TIMEOUT_S = 60.0
MISSING = 404  # what a server answers for a file that it does not have


@dataclass(frozen=True)
class Source:
    """Where a source is published.

    Parameters
    ----------
    name : str
        As a user knows it, such as ``WildEval/ZeroEval``.
    version : str
        The commit or revision, of which ``address`` speaks.
    address : str
        What stands before the name of each file.
    licence : str
        Its name, and whom to name.
    """

    name: str
    version: str
    address: str
    licence: str


def github(repository: str, commit: str, licence: str) -> Source:
    """Return a repository on GitHub at one commit."""
    return Source(repository, commit, f"https://raw.githubusercontent.com/{repository}/{commit}/", licence)


class Files:
    """The files of one source, from its publisher or from a folder where a user has them.

    Parameters
    ----------
    source : Source
    folder : Path
        Where files are kept that were fetched; one that is there already is not fetched again.
    lock : Path
        Of the checksums.
    given : Path or None
        A folder with the files under their names in the source, so that nothing is fetched.
    tell : callable
        Is told of each file that is fetched.
    """

    def __init__(
        self, source: Source, folder: Path, lock: Path, given: Path | None, tell: Callable[[str], object]
    ) -> None:
        self._source = source
        self._folder = folder
        self._lock = lock
        self._given = given
        self._tell = tell
        try:
            self._known: dict[str, str] = json.loads(lock.read_text(encoding="utf-8")) if lock.is_file() else {}
        except json.JSONDecodeError as error:
            raise ValueError(f"{lock} is no lock file: {error}; remove it to record checksums anew") from error
        self.sha256: dict[str, str] = {}

    def path(self, *names: str) -> Path:
        """Return a file, fetched if it is not there; of several names the first that the source has.

        Raises
        ------
        ValueError
            If its checksum is not that of the first time.
        OSError
            If it cannot be had.
        """
        for name in names:
            file = self._folder / name if self._given is None else self._given / name
            if not file.is_file():
                if self._given is not None:
                    continue
                if not self._fetch(name, file):
                    continue
            self._check(name, file)
            return file
        if self._given is not None:
            raise FileNotFoundError(f"there is no file {self._given / names[0]}, as {self._source.name} names it")
        raise FileNotFoundError(f"{self._source.name} has no file {names[0]} at {self._source.version}")

    def remember(self) -> None:
        """Write the checksums of all files that were used."""
        text = json.dumps({**self._known, **self.sha256}, indent=2, sort_keys=True) + "\n"
        whole(self._lock, lambda path: path.write_text(text, encoding="utf-8"))

    def _fetch(self, name: str, file: Path) -> bool:
        """Bring a file; return False if the source has none of that name."""
        address = self._source.address + urllib.parse.quote(name)
        self._tell(f"fetching {address}")
        try:
            with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
                whole(file, lambda path: copied(answer, path))
        except urllib.error.HTTPError as error:
            if error.code == MISSING:
                return False
            raise OSError(f"cannot fetch {address}: the server answers {error.code} {error.reason}") from error
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise OSError(
                f"cannot fetch {address}: {reason}; without a network give the files of {self._source.name} "
                "under their own names with source=DIR"
            ) from error
        return True

    def _check(self, name: str, file: Path) -> None:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        expected = self._known.get(name, found)
        if found != expected:
            raise ValueError(
                f"{file} has the sha256 {found}, and {self._lock} says {expected}: it is damaged, or another version; "
                "remove the file to fetch it again, or the lock file to take it as it is"
            )
        self.sha256[name] = found


def copied(stream: BinaryIO, path: Path) -> None:
    """Write a stream to a file."""
    with path.open("wb") as out:
        shutil.copyfileobj(stream, out)


def whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let a file appear under its name only when it is whole; make its folder first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
