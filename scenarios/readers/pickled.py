"""Reads a data frame from a pickle without running anything that the pickle might carry. It knows no columns."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

# The functions and classes that rebuild a data frame from its arrays, under the module names of NumPy 1 and 2 and of
# pandas 1 to 3. None of them runs code from the pickle.
ADMITTED = {
    ("builtins", "bytearray"),
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
    ("pandas.arrays", "ArrowStringArray"),
    ("pandas.arrays", "StringArray"),
    ("pandas.core.arrays.string_arrow", "ArrowStringArray"),
    ("pandas.core.arrays.string_", "StringArray"),
    ("pandas.core.arrays.string_", "StringDtype"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.internals.blocks", "new_block"),
    ("pandas.core.internals.managers", "BlockManager"),
    ("pyarrow.lib", "chunked_array"),
    ("pyarrow.lib", "py_buffer"),
}
RENAMED = {
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
}


def text_type(name: str) -> pa.DataType:
    """Return pyarrow's type of a name; raise UnpicklingError unless it is one of texts."""
    if name not in ("string", "large_string"):
        raise pickle.UnpicklingError(f"it holds an array of pyarrow's type {name!r}; only texts are read")
    return pa.type_for_alias(name)


def text_array(parts: tuple[Any, ...]) -> pa.Array:
    """Return the texts that pyarrow holds in raw buffers; raise UnpicklingError if offsets lead outside of them.

    pandas 3 keeps texts so. What pyarrow rebuilds them with believes every length that the pickle gives; nothing reads
    the texts before they are checked here.
    """
    if parts[0] not in (pa.string(), pa.large_string()):
        raise pickle.UnpicklingError(f"it holds an array of pyarrow's type {parts[0]}; only texts are read")
    array = pa.lib._restore_array(parts)
    try:
        array.validate(full=True)
    except pa.ArrowInvalid as error:
        raise pickle.UnpicklingError(f"its texts are damaged: {error}") from error
    return array


INSTEAD = {("pyarrow.lib", "_restore_array"): text_array, ("pyarrow.lib", "type_for_alias"): text_type}
"""What is called in place of functions that believe what they are told."""


class FrameUnpickler(pickle.Unpickler):
    """An unpickler that rebuilds data frames and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return an admitted function or class; raise UnpicklingError, naming it, for any other."""
        module = RENAMED.get(module, module)
        if (module, name) in INSTEAD:
            return INSTEAD[module, name]
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
