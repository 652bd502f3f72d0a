"""Reads the embeddings of a table's rows from a ``.npy`` file, or makes them of the prompts. It knows no models."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence

import numpy as np
import pandas as pd

from scenarios.readers.cells import prompts
from sim.interface import EmbeddingArray


def load_embeddings(frame: pd.DataFrame, path: str | None, embedder: str | None) -> EmbeddingArray:
    """Return the embeddings (n_rows, dim) of a table.

    Parameters
    ----------
    frame : DataFrame
        Its prompts are embedded where there is no file.
    path : str or None
        A ``.npy`` file of floats (n_rows, dim), one row per row of the table.
    embedder : str or None
        A sentence-transformers model, used without a file.

    Raises
    ------
    ValueError
        If neither is given, or the file cannot be read or does not fit the table.
    OSError
        If there is no such file.
    ImportError
        If the extra ``embed`` is needed and not installed.
    """
    if path is None:
        if embedder is None:
            raise ValueError(
                "the table comes without embeddings: give a file with workload.embeddings=FILE.npy, "
                "or a text embedder with workload.embedder=MODEL (needs the extra 'embed')"
            )
        return embed(prompts(frame).tolist(), embedder)
    try:
        vectors = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot read {path} as a .npy array: {error}") from error
    if not isinstance(vectors, np.ndarray):
        raise ValueError(f"{path} is an archive of arrays; give one array, as numpy.save writes it")
    if vectors.ndim != 2 or len(vectors) != len(frame) or not np.issubdtype(vectors.dtype, np.floating):
        raise ValueError(
            f"embeddings in {path} have shape {vectors.shape} and type {vectors.dtype}; "
            f"they must be floats of shape ({len(frame)}, dim), one row per row of the table"
        )
    single: EmbeddingArray = vectors.astype(np.float32)
    return single


def embed(texts: Sequence[str], model: str) -> EmbeddingArray:
    """Return unit-length embeddings (n, dim) of texts.

    Parameters
    ----------
    texts : sequence of str
    model : str
        A sentence-transformers model: a name or a folder. PORT uses ``BAAI/bge-base-en-v1.5`` (arXiv 2509.02718).

    Raises
    ------
    ImportError
        If the extra ``embed`` is not installed.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ImportError(
            "embedding text needs sentence-transformers: pip install 'llm-switchyard[embed]', "
            "or give a file with workload.embeddings=FILE.npy"
        ) from error
    vectors = SentenceTransformer(model).encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)
