"""Says which file a path names: one of the user's, one that is shipped, or one that ``switchyard data`` built.

It reads nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

SHIPPED, BUILT = "shipped:", "data:"
FOLDER_VARIABLE = "SWITCHYARD_DATA"
BESIDE = Path("../shared/data")  # where several checkouts may share their tables


def located(path: str) -> Path:
    """Return the file that a path names.

    Parameters
    ----------
    path : str
        A path, ``shipped:NAME`` for a file that comes with Switchyard, or ``data:NAME`` for one in the data folder.

    Raises
    ------
    OSError
        If there is no such file shipped or in the data folder; the message says which command builds it.
    """
    if path.startswith(SHIPPED):
        folder = Path(__file__).resolve().parent.parent / "shipped"
        if not (folder / path.removeprefix(SHIPPED)).is_file():
            names = ", ".join(sorted(each.name for each in folder.glob("*.csv")))
            raise FileNotFoundError(f"no file {path.removeprefix(SHIPPED)} is shipped; these are: {names}")
        return folder / path.removeprefix(SHIPPED)
    if path.startswith(BUILT):
        file = data_folder() / path.removeprefix(BUILT)
        beside = BESIDE / path.removeprefix(BUILT)
        if not file.is_file() and FOLDER_VARIABLE not in os.environ and beside.is_file():
            return beside
        if not file.is_file():
            table = file.stem.removesuffix("_embeddings")
            raise FileNotFoundError(
                f"there is no file {file}: `switchyard data {table}` builds it; "
                f"if you have it elsewhere, let {FOLDER_VARIABLE} name the folder"
            )
        return file
    return Path(path)


def files_at(path: str) -> tuple[Path, ...]:
    """Return the file that a path names, or all files of a folder, for the manifest."""
    file = located(path)
    return tuple(sorted(one for one in file.rglob("*") if one.is_file())) if file.is_dir() else (file,)


def data_folder() -> Path:
    """Return the folder of public tables: ``SWITCHYARD_DATA``, or ``switchyard`` in the user's cache."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "switchyard"
