"""The published RouterBench pickle (arXiv 2403.12031), read without running anything that it might carry."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from scenarios.readers.unified import TOKENS, build, text_tokens
from sim.workload import Workload

RESPONSE = "model_response"

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


def routerbench(
    path: str,
    embeddings: str | None = None,
    embedder: str | None = None,
    models: Sequence[str] | None = None,
    n_queries: int | None = 10_000,
    n_history: int | None = None,
    split_seed: int = 0,
    scores: str = "strict",
) -> Workload:
    """Read ``routerbench_0shot.pkl``: test rows are drawn at random, the others are history, as in PORT's study.

    The file has no token counts; output tokens are estimated as a quarter of each response's characters. See
    ``scenarios.readers.unified.build`` for the parameters.

    Raises
    ------
    ValueError
        If the pickle holds anything but a data frame; a pickle that carries code is refused by the name of what it
        would call, before anything is called.
    OSError
        If there is no such file.
    """
    frame = read_pickle(Path(path)).rename(columns={"eval_name": "source"})
    for column in [column for column in frame.columns if str(column).endswith(f"|{RESPONSE}")]:
        model = str(column).removesuffix(f"|{RESPONSE}")
        frame[f"{model}|{TOKENS}"] = text_tokens(frame.pop(column).fillna("").astype(str))
    return build(
        frame.drop(columns="oracle_model_to_route_to", errors="ignore"),
        embeddings=embeddings,
        embedder=embedder,
        models=models,
        n_queries=n_queries,
        n_history=n_history,
        split_seed=split_seed,
        files=[path],
        scores=scores,
    )


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
