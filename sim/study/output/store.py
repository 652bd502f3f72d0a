"""Keeps predictions and bounds on disk under a hash of all that they depend on, so that none is computed twice.

Jobs may share a folder: a file appears under its name only when it is whole, and one that cannot be read is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import zipfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from sim.assignment.certified import certified
from sim.assignment.program import Bound
from sim.interface import Estimator, Features, FloatArray, History, IntArray
from sim.study.output.directory import PACKAGES, replace_file
from sim.study.output.source_digest import known_digest, own_digest

FORMAT = 2  # of the files


class Store:
    """A folder of arrays.

    Parameters
    ----------
    folder : Path
        Made if it does not exist; may be deleted at any time.
    source : str or None
        The digest of the code that makes the arrays, see ``sim.study.output.source_digest``; None for Switchyard's own.

    Raises
    ------
    OSError
        If the folder cannot be made.
    """

    def __init__(self, folder: Path, source: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        versions = [(package, metadata.version(package)) for package in PACKAGES]
        self._code = repr((FORMAT, versions, source or own_digest())).encode()

    def arrays(
        self, depends_on: Sequence[bytes | np.ndarray[Any, Any]], make: Callable[[], Sequence[np.ndarray[Any, Any]]]
    ) -> list[np.ndarray[Any, Any]]:
        """Return the arrays that ``make`` makes, read-only, from the disk if they are there.

        Parameters
        ----------
        depends_on : sequence of bytes and arrays
            All that the result is a function of, besides code and the versions of packages.
        make : callable
            Called if nothing readable is there; what it returns is written. A disk that is full is no error.
        """
        digest = hashlib.sha256(self._code)
        for part in depends_on:
            if isinstance(part, np.ndarray):
                digest.update(repr((part.dtype.str, part.shape)).encode())
                digest.update(np.ascontiguousarray(part).data)
            else:
                digest.update(len(part).to_bytes(8, "big") + part)
        path = self._folder / f"{digest.hexdigest()}.npz"
        found = read(path)
        if found is None:
            found = [np.asarray(array) for array in make()]
            with contextlib.suppress(OSError):  # what is not kept is computed again
                replace_file(path, lambda partial: write(partial, found))
        for array in found:
            array.setflags(write=False)
        return found


def read(path: Path) -> list[np.ndarray[Any, Any]] | None:
    """Return the arrays of a file; None if it is not there, cut short or damaged (every array has a checksum)."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return [file[f"arr_{k}"] for k in range(len(file.files))]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def write(path: Path, arrays: Sequence[np.ndarray[Any, Any]]) -> None:
    """Write the arrays as ``.npz``."""
    with path.open("wb") as file:
        np.savez(file, *arrays)


def predictions(
    store: Store | None, estimator: Estimator, history: History, features: Features
) -> Sequence[FloatArray]:
    """Return quality and cost, each (n, n_deployments), of an estimator that learns from the history."""
    settings = None if store is None else fingerprint(estimator)
    if store is None or settings is None:
        return estimator.fit(history).predict(features)
    capped = history.capped
    of_cut = () if capped is None else (capped.caps, capped.quality, capped.cost)
    learned_from = (history.features.embeddings, history.features.input_tokens, history.quality, history.cost, *of_cut)
    depends_on = (b"predictions", settings, *learned_from, features.embeddings, features.input_tokens)
    return store.arrays(depends_on, lambda: estimator.fit(history).predict(features))


def optimum(
    store: Store | None, quality: FloatArray, cost: FloatArray, budgets: FloatArray, accounts: IntArray | None
) -> Bound:
    """Return the certified bound on the program of quality and cost (n, n_deployments)."""
    if store is None:
        return certified(quality, cost, budgets, accounts).bound

    def solve() -> tuple[FloatArray, IntArray, FloatArray]:
        found = certified(quality, cost, budgets, accounts)
        return np.array(found.bound.value), found.bound.plan, found.prices

    depends_on = (b"optimum", quality, cost, budgets, *(() if accounts is None else (accounts,)))
    value, plan, prices = store.arrays(depends_on, solve)
    return Bound(float(value), plan, prices)


def fingerprint(strategy: object) -> bytes | None:
    """Return the bytes of an object's settings and of its class's code; None for what cannot be kept apart.

    That is an object that cannot be pickled, and one whose class has no source file, such as one made in a notebook.
    """
    try:
        code = known_digest(type(strategy).__module__)
        return None if code is None else pickle.dumps(strategy) + code.encode()
    except (pickle.PicklingError, TypeError, AttributeError, OSError):
        return None
