"""Gives the rows of a table their embeddings: of a ``.npy`` file, or made of the prompts. It knows no models."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence

import numpy as np
import pandas as pd

from scenarios.readers.cells import of, prompts
from scenarios.readers.places import located
from sim.errors import note
from sim.interface import EmbeddingArray

HASHING = "hashing"
DIMENSIONS = 512  # of hashed words


def load_embeddings(frame: pd.DataFrame, path: str | None, embedder: str | None) -> EmbeddingArray:
    """Return the embeddings (n_rows, dim) of a table; dim is 0 if there is nothing that they could be made of.

    Parameters
    ----------
    frame : DataFrame
        Its prompts are embedded where there is no file.
    path : str or None
        A ``.npy`` file of floats (n_rows, dim), one row per row of the table, or ``hashing``; None without a file.
    embedder : str or None
        A sentence-transformers model, used without a file; None for hashed words, where there are prompts.

    Raises
    ------
    ValueError
        If the file cannot be read or does not fit the table, or prompts are to be embedded and there are none.
    OSError
        If there is no such file.
    ImportError
        If the extra ``embed`` is needed and not installed.
    """
    if path is None and embedder is not None and embedder != HASHING:
        return embed(prompts(frame).tolist(), embedder)
    if path == HASHING or (path is None and embedder == HASHING):
        return hashed(prompts(frame).tolist())
    if path is None and "prompt" in frame.columns:
        note(
            "the table comes without embeddings; its prompts are embedded by hashed words (workload.embeddings=hashing)"
            + of(frame)
        )
        return hashed(prompts(frame).tolist())
    if path is None:
        return np.empty((len(frame), 0), dtype=np.float32)
    try:
        vectors = np.load(located(path), allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot read {path} as a .npy array: {error}") from error
    if not isinstance(vectors, np.ndarray):
        vectors.close()
        raise ValueError(f"{path} is an archive of arrays; give one array, as numpy.save writes it")
    if vectors.ndim != 2 or len(vectors) != len(frame) or not np.issubdtype(vectors.dtype, np.floating):
        raise ValueError(
            f"embeddings in {path} have shape {vectors.shape} and type {vectors.dtype}; "
            f"they must be floats of shape ({len(frame)}, dim), one row per row of the table"
        )
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise ValueError(f"the embedding in row {int(np.argmin(finite))} of {path} is not finite")
    single: EmbeddingArray = vectors.astype(np.float32)
    return single


def hashed(texts: Sequence[str]) -> EmbeddingArray:
    """Return embeddings (n, 512) of unit length from the words of texts, of which nothing is learned.

    A word in small letters adds or takes away one, as its hash says, in one of 512 dimensions (feature hashing,
    Weinberger and others, ICML 2009), and each entry is then pressed to the square root of its size. A text without a
    word is at the origin. The same texts give the same embeddings on every machine, to the last bit.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    counts = HashingVectorizer(n_features=DIMENSIONS, norm=None, dtype=np.float64).transform(texts).toarray()
    length = np.sqrt(np.abs(counts).sum(axis=1, keepdims=True))  # of the square roots; the sums are whole numbers
    vectors: EmbeddingArray = (np.sign(counts) * np.sqrt(np.abs(counts)) / np.maximum(length, 1.0)).astype(np.float32)
    return vectors


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
            "or take workload.embeddings=hashing or a file, workload.embeddings=FILE.npy"
        ) from error
    vectors = SentenceTransformer(model).encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)
