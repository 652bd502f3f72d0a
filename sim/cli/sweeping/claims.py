"""Claims the directory of a sweep: what of it goes on, and what is replaced. It runs nothing."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sim.errors import note
from sim.study.output.directory import earlier_manifest, files_in, foreign_files, manifest_text, replace_file
from sim.study.output.earlier import is_same_command, refusal

OF_CODE = ("source", "versions")  # what may differ between two runs of the same sweep


def summarised(axes: Sequence[str], described: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what the manifest of a sweep says; ``settings`` is of all points whatever the code, ``points`` with it."""
    settings = [{key: value for key, value in one.items() if key not in OF_CODE} for one in described]
    return {
        "verb": "sweep",
        "axes": list(axes),
        "first_point": described[0],
        "files": functools.reduce(lambda all_of_them, one: all_of_them | one["files"], described, {}),
        "points": [digest(one) for one in described],
        "settings": digest({"axes": list(axes), "points": settings}),
    }


def digest(description: dict[str, Any]) -> str:
    """Return 16 digits of its hash."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:16]


def claim(out: Path, whole: dict[str, Any], more: dict[str, Any], overwrites: bool = False) -> bool:
    """Make the output directory with its manifest (of both), or go on with that of the same sweep.

    Returns
    -------
    bool
        Whether what is there is to be replaced once new points are: the same sweep made by other code or with other
        libraries, or anything that ``overwrites`` says to replace.

    Raises
    ------
    FileExistsError
        If it is there and belongs to something else.
    """
    theirs = earlier_manifest(out)
    if theirs is None:
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
        made.chmod(0o755)
        try:
            (made / "manifest.json").write_text(manifest_text({**whole, **more}))
            made.rename(out)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    elif not overwrites and not is_same_sweep(theirs, whole, more):
        raise FileExistsError(refusal(out, differences(theirs, whole)))
    (out / "points").mkdir(exist_ok=True)
    (out / "figures").mkdir(exist_ok=True)
    replaces = theirs is not None and theirs.get("points") != whole["points"]
    stale = len({stem(path) for path in (out / "points").iterdir()} - set(whole["points"])) if replaces else 0
    if stale:
        held = "1 point" if stale == 1 else f"{stale} points"
        note(f"{out} holds {held} of other code or settings, not used here and removed once the new ones are there")
    return replaces


def is_same_sweep(theirs: dict[str, Any], whole: dict[str, Any], more: dict[str, Any]) -> bool:
    """Return whether an earlier sweep is this one, whatever its code: by its points, or by its words and files."""
    if theirs.get("settings") == whole["settings"]:
        return True
    files = theirs.get("files", theirs.get("first_point", {}).get("files"))
    return files == whole["files"] and is_same_command(theirs.get("config", {}), more["config"])


def replace_earlier(out: Path, whole: dict[str, Any], more: dict[str, Any]) -> None:
    """Write the manifest of a sweep over that of an earlier output, and remove what that had and a user did not add."""
    earlier = earlier_manifest(out) or {}
    foreign = set(foreign_files(out))
    replace_file(out / "manifest.json", lambda partial: partial.write_text(manifest_text({**whole, **more})))
    ours = {"manifest.json", "failures.csv", "sweep.parquet", "cells.csv"}
    if earlier.get("verb") == "sweep":
        gone = [path for path in (out / "points").iterdir() if stem(path) not in whole["points"]]
        gone += [path for path in ((out / "figures"), (out / "report.html")) if path.exists()]
    else:
        gone = [out / name for name in files_in(out) if name not in ours | foreign and not name.startswith("points/")]
    for path in gone:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    (out / "figures").mkdir(exist_ok=True)


def stem(path: Path) -> str:
    """Return the name of the point that a file is of, also of one that is not whole."""
    return path.name.lstrip(".").partition(".")[0]


def differences(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """Return in a few words how the output of something else differs."""
    if theirs.get("verb") != "sweep":
        return f"an output of {theirs.get('verb')}"
    before, now = theirs.get("first_point", {}), ours["first_point"]
    changed = ["files"] if before.get("files") != now["files"] else []
    old, new = before.get("config", {}), now["config"]
    changed += [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return f"another sweep, with other {', '.join(changed) or 'values of its axes'}"
