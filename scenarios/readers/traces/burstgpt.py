"""Reads BurstGPT's CSV (arXiv 2401.17644): requests to ChatGPT and GPT-4 at a university over some months.

The columns are ``Timestamp`` (seconds from the trace's first midnight), ``Model``, ``Request tokens``, ``Response
tokens``, ``Total tokens`` and ``Log Type``; later files have ``Session ID`` and ``Elapsed time`` besides. A response
of 0 tokens is a failure, as the authors' files ``without_fails`` leave those out. Verified: these columns and first
rows, as several public readers of HPMLL/BurstGPT quote them. Not verified: a whole file.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenarios.readers.formats import Format
from scenarios.readers.opened import CSV, PARQUET, Opened
from scenarios.readers.traces.recorded import ARRIVAL, INPUT, OUTPUT, Recorded
from scenarios.readers.traces.times import numbers_or_nan, seconds

TIME, REQUEST, RESPONSE = "Timestamp", "Request tokens", "Response tokens"


def is_mine(opened: Opened) -> bool:
    """Return whether a file has the columns of times and of both token counts."""
    return opened.kind in (CSV, PARQUET) and {TIME, REQUEST, RESPONSE} <= set(opened.columns)


def read(opened: Opened) -> Recorded:
    """Return the requests; those whose response has no token have failed."""
    frame = opened.frame
    arrival_s, begins = seconds(frame, TIME)
    response = numbers_or_nan(frame, RESPONSE)
    columns = {ARRIVAL: arrival_s, INPUT: numbers_or_nan(frame, REQUEST), OUTPUT: response}
    failure = "failed, with a response of 0 tokens"
    return Recorded(pd.DataFrame(columns), np.asarray(response == 0), begins, failure)


BURSTGPT = Format("burstgpt", "BurstGPT trace", is_mine, read)
