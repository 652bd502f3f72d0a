"""Reads a data frame from a pickle without running anything that the pickle might carry. It knows no columns."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pandas as pd

# The functions and classes that rebuild a data frame from its arrays, under the module names of NumPy 1 and 2 and of
# pandas 1 to 3. None of them runs code from the pickle. A frame whose text pyarrow holds, as in pandas 3, would need
# raw buffers rebuilt, and is refused; the published file holds text as Python objects.
ADMITTED = {
    ("builtins", "slice"),
    ("_codecs", "encode"),
    ("copyreg", "_reconstructor"),
    ("builtins", "object"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("pandas", "DataFrame"),
    ("pandas", "Index"),
    ("pandas", "RangeIndex"),
    ("pandas", "StringDtype"),
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.arrays", "StringArray"),
    ("pandas.core.arrays.string_", "StringArray"),
    ("pandas.core.arrays.string_", "StringDtype"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.internals.blocks", "new_block"),
    ("pandas.core.internals.managers", "BlockManager"),
}
RENAMED = {
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
}


class FrameUnpickler(pickle.Unpickler):
    """An unpickler that rebuilds data frames and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return an admitted function or class; raise UnpicklingError, naming it, for any other."""
        module = RENAMED.get(module, module)
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(
                f"it would call {module}.{name}, which is not among the types that rebuild a data frame"
            )
        return super().find_class(module, name)


def read_pickle(path: Path) -> pd.DataFrame:
    """Return the data frame in a pickle, refusing everything else."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with path.open("rb") as stream:
            frame = FrameUnpickler(stream).load()
    except Exception as error:  # a damaged pickle can fail anywhere in its reconstruction
        raise ValueError(f"refused to read {path}: {error}") from error
    if not isinstance(frame, pd.DataFrame):
        raise ValueError(f"refused to read {path}: it holds a {type(frame).__name__}, not a data frame")
    return frame
