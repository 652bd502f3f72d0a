"""An output directory that appears under its name only when it is whole. It knows files, not what is in them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_directory(out: Path) -> Iterator[Path]:
    """Yield a hidden directory beside ``out`` that takes its name at the end; an error leaves nothing.

    Raises
    ------
    FileExistsError
        If ``out`` holds files that no command of ours wrote.
    """
    if out.exists() and not (out / "manifest.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} exists and is not an output of switchyard; choose another with out=DIR")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    folder.chmod(0o755)
    try:
        yield folder
        old = folder.with_suffix(".old")
        if out.exists():
            out.rename(old)
        folder.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
