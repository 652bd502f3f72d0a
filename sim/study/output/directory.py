"""Makes an output directory appear under its name only when it is whole. It knows no file's meaning."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

from sim.study.output.source_digest import source_digest

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

    An earlier output under that name goes then, all but what a user has put there.

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
        self._made = [parent for parent in self._out.parents if not parent.exists()]
        self._out.parent.mkdir(parents=True, exist_ok=True)
        self.folder = self._out.parent / f".{self._out.name}.{uuid.uuid4().hex[:8]}.partial"
        try:  # with the name known beforehand, so that an interrupt right after the directory was made finds it
            self.folder.mkdir()
            self.folder.chmod(0o755)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
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
            with contextlib.suppress(OSError):  # some other command may use them by now
                for parent in self._made:
                    parent.rmdir()
            return
        old, written, foreign = self.folder.with_suffix(".old"), files_in(self.folder), foreign_files(self._out)
        try:
            name_outputs(self.folder / "manifest.json", written)
            if self._out.exists():
                self._out.rename(old)
            self.folder.rename(self._out)
        except BaseException:
            if old.exists() and not self._out.exists():
                old.rename(self._out)
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        for name in set(foreign) - set(written):
            (self._out / name).parent.mkdir(parents=True, exist_ok=True)
            (old / name).rename(self._out / name)
        shutil.rmtree(old, ignore_errors=True)


def files_in(folder: Path) -> list[str]:
    """Return the files of a folder and of the folders in it, by their paths from there."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def name_outputs(manifest: Path, written: list[str]) -> None:
    """Say in a manifest which files the verb wrote, so that a later one knows which it did not."""
    if manifest.is_file():
        whole = {**json.loads(manifest.read_text()), "outputs": written}
        manifest.write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n")


def foreign_files(out: Path) -> list[str]:
    """Return the files in an output directory that its verb did not write; none if its manifest does not say."""
    earlier = earlier_manifest(out)
    if earlier is None or "outputs" not in earlier:
        return []
    return sorted(set(files_in(out)) - set(earlier["outputs"]))


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
    here = Path(__file__).resolve().parents[3]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != here:
            return None  # installed somewhere inside another project's checkout
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
