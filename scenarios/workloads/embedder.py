"""Text to vectors, by an optional extra. It knows no tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.interface import EmbeddingArray


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
