"""Makes the columns of an exported instance that say what answers are worth and cost when they are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from sim.instance import Instance
from sim.interface import Capped
from sim.truth import cut

BY_CAP = {
    "quality_by_cap": "list of scores if the answer is cut at each of the caps of instance.json; empty without caps",
    "cost_by_cap": "list of its costs then, in the unit of fleet.csv; empty without caps",
}


def capped_truth(instance: Instance) -> Capped | None:
    """Return what the answers to the arriving queries are worth and cost when they are cut; None without caps."""
    tokens, scores, each_usd = instance.output_tokens, instance.capped_quality, instance.token_usd
    if tokens is None or scores is None or each_usd is None:
        return None
    rows, units = instance.rows, [info.unit for info in instance.setting.fleet]
    return cut(
        instance.scenario.workload.caps,
        units,
        instance.features.input_tokens[rows],
        tokens[rows],
        instance.quality[rows],
        scores[rows],
        instance.cost[rows],
        each_usd[rows],
    )


def by_cap(capped: Capped | None, n_pairs: int) -> dict[str, Any]:
    """Return the columns of ``BY_CAP``, a list per query and deployment."""
    if capped is None:
        return {name: pa.nulls(n_pairs, pa.list_(pa.float64())) for name in BY_CAP}
    ends = np.arange(n_pairs + 1, dtype=np.int32) * len(capped.caps)
    return {
        name: pa.ListArray.from_arrays(ends, np.ascontiguousarray(each).ravel())
        for name, each in zip(BY_CAP, (capped.quality, capped.cost), strict=True)
    }
