"""Names the tables of an exported instance and their columns, and says what each is.

``instance_files.py`` fills them.
"""

from __future__ import annotations

from collections.abc import Mapping

from sim.study.output.by_cap import BY_CAP

PROGRAM = (
    "maximise the sum over id and deployment of quality x share, where for each deployment the sum over id of cost x "
    "share is at most its budget, for each id the sum over deployments of share is at most 1, and no share is below 0"
)
REPLICATION = {"replication": "number from 0 of the draw"}
OF_A_QUERY = {
    "row": "row of the workload's file, from 0; without a file the place among the workload's rows of that split",
    "source": "topic or data set; empty where the workload has none",
    "input_tokens": "length of the prompt",
    "embedding": "list of numbers; what an estimator may predict from, with input_tokens",
    "class": "kind of traffic, such as interactive; empty where the workload has none",
    "tenant": "who sends it; empty where the workload has none",
    "priority": "0 is the most urgent; empty where the workload has none",
    "due_s": "seconds from arrival to the deadline; empty where the workload has none",
    "session": "number of the conversation that it is a turn of; empty where the workload has none",
    "prefix_blocks": "list of the blocks that its prompt begins with; empty where the workload has none",
    "preference": "weight of quality against cost, in [0, 1]; empty where the workload has none",
}
OUTCOME = {
    "deployment": "name, as in fleet.csv",
    "quality": "score in [0, 1]",
    "cost": "what it takes of the deployment's budget, in the unit of fleet.csv",
}
BESIDES = {
    "cost_usd": "the same cost in USD, at the prices of the beginning",
    "output_tokens": "length of the answer; empty where the workload has none",
    "confidence": "how sure the model is of the answer; empty where the workload has none of the model",
    "latency_s": "measured latency of the answer; empty where the workload has none of the model",
    "energy_j": "joules of the answer, measured or by output token; empty where neither is known",
}
TABLES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "queries.parquet": (
        "a row per arrival, in order of arrival",
        {
            **REPLICATION,
            "id": "place in the order of arrival, from 0",
            "arrived_at_s": "seconds since the first arrival; empty in a closed loop, where it comes of the answers",
            "think_s": "in a closed loop, how long the user thinks before it; otherwise empty",
            "test_row": "place among the workload's test queries, from 0; what order=saved calls row",
            **OF_A_QUERY,
        },
    ),
    "truth.parquet": (
        "a row per arrival and deployment: what would come of it there, which no policy sees before",
        {
            **REPLICATION,
            "id": "of queries.parquet",
            **OUTCOME,
            **BESIDES,
            **BY_CAP,
        },
    ),
    "estimates.parquet": (
        "a row per policy, arrival and deployment: what the policy's estimator predicts from the history",
        {
            **REPLICATION,
            "policy": "name",
            "id": "of queries.parquet",
            "deployment": "name, as in fleet.csv",
            "quality": "predicted score; a prediction may lie outside [0, 1]",
            "cost": "predicted cost, in the unit of fleet.csv",
        },
    ),
    "history.parquet": (
        "a row per query that was answered before the first arrival",
        {**REPLICATION, "history": "number from 0", **OF_A_QUERY},
    ),
    "history_truth.parquet": (
        "a row per history query and deployment, of which every policy sees quality and cost; empty where not known",
        {**REPLICATION, "history": "of history.parquet", **OUTCOME, **BESIDES, **BY_CAP},
    ),
}
FLEET = "fleet.csv"
OF_FLEET = "a row per deployment: budget (inf for none) and its unit, and what run writes of it besides"
WORDS = "instance.json"
