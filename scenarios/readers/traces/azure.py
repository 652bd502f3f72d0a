"""Reads the traces of LLM services that Azure published in 2023 and 2024: CSV.

The columns are ``TIMESTAMP`` (2023: ``2023-11-16 18:15:46.6805900``, seven decimals; 2024: with an offset, such as
``2024-05-10 00:00:00.009930+00:00``), ``ContextTokens`` and ``GeneratedTokens``. Verified: the files of 2023 in
Azure/AzurePublicDataset (b469a113), and the columns of 2024 in that repository's AzureLLMInferenceDataset2024.md. Not
verified: a file of 2024 itself.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenarios.readers.formats import Format
from scenarios.readers.opened import CSV, PARQUET, Opened
from scenarios.readers.traces.recorded import ARRIVAL, INPUT, OUTPUT, Recorded
from scenarios.readers.traces.times import numbers_or_nan, seconds

TIME, CONTEXT, GENERATED = "TIMESTAMP", "ContextTokens", "GeneratedTokens"


def is_mine(opened: Opened) -> bool:
    """Return whether a file has the three columns."""
    return opened.kind in (CSV, PARQUET) and {TIME, CONTEXT, GENERATED} <= set(opened.columns)


def read(opened: Opened) -> Recorded:
    """Return the requests; the file says of none that it has failed."""
    frame = opened.frame
    arrival_s, begins = seconds(frame, TIME)
    columns = {
        ARRIVAL: arrival_s,
        INPUT: numbers_or_nan(frame, CONTEXT),
        OUTPUT: numbers_or_nan(frame, GENERATED),
    }
    return Recorded(pd.DataFrame(columns), np.zeros(len(frame), dtype=np.bool_), begins)


AZURE = Format("azure", "Azure LLM inference trace, 2023 or 2024", is_mine, read)
