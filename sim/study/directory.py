"""An output directory that appears under its name only when it is whole. It knows files, not what they say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

from sim.study.source_digest import source_digest

PACKAGES = (
    "faiss-cpu",
    "hydra-core",
    "llm-switchyard",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "seaborn",
    "simpy",
)


class Directory:
    """A hidden directory beside ``out`` that is renamed at the end; an error leaves nothing.

    Parameters
    ----------
    out : Path

    Attributes
    ----------
    folder : Path
        Where the files are until then.

    Raises
    ------
    FileExistsError
        If ``out`` holds files that no study wrote.
    """

    def __init__(self, out: Path) -> None:
        earlier_manifest(out)
        self._out = out

    def __enter__(self) -> Directory:
        """Make the hidden directory."""
        self._out.parent.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f".{self._out.name}.", suffix=".partial", dir=self._out.parent))
        self.folder.chmod(0o755)
        return self

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write ``manifest.json``: what is given, and the code and the versions that it was made with."""
        (self.folder / "manifest.json").write_text(manifest_text(manifest))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Put the directory in its place, or remove it after an error."""
        if error is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        old = self.folder.with_suffix(".old")
        try:
            if self._out.exists():
                self._out.rename(old)
            self.folder.rename(self._out)
        except BaseException:
            if old.exists() and not self._out.exists():
                old.rename(self._out)
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        shutil.rmtree(old, ignore_errors=True)


def earlier_manifest(out: Path) -> dict[str, Any] | None:
    """Return the manifest of the output that lies in a directory; None if there is nothing.

    Raises
    ------
    FileExistsError
        If there are files that no verb wrote.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    try:
        manifest: Any = json.loads((out / "manifest.json").read_text())
    except (OSError, ValueError):
        manifest = None
    if not isinstance(manifest, dict) or "verb" not in manifest:
        raise FileExistsError(f"{out} exists and is not an output of switchyard; choose another with out=DIR")
    return manifest


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """Return what a ``manifest.json`` says: what is given, versions of packages, the source and the git commit."""
    versions = {package: metadata.version(package) for package in PACKAGES}
    known = {"source": source_digest(manifest.get("config")), "versions": versions, "git_commit": git_commit()}
    return json.dumps({**manifest, **known}, indent=2, sort_keys=True) + "\n"


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` write a hidden file beside ``path`` and rename it, so that ``path`` is whole at every moment."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(number)
    partial = Path(name)
    try:
        write(partial)
        partial.chmod(0o644)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def git_commit() -> str | None:
    """Return the commit of the checkout that this code runs from, with ``+changes`` if it has any; None elsewhere."""
    here = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != here:
            return None  # installed somewhere inside another project's checkout
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
