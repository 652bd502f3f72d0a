"""Writes docs/stories.md from the runs of the stories themselves.

python -m tests.stories.page
"""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from sim.cli.project import opened
from sim.cli.verbs.telling.story import Chapter, chapters, composed
from sim.show.steps.events import COLUMNS, HEADERS, shown_columns

PAGE = Path(__file__).resolve().parents[2] / "docs" / "stories.md"
READING_ORDER = (
    "greedy_goes_broke",
    "price_of_a_budget",
    "two_orders",
    "exploration_costs",
    "cascade_pays_twice",
    "cheap_model_full",
    "queue_at_95",
    "stale_dashboard",
)
HEAD = """# Stories: eight tiny worlds, step by step

Each story is a world of at most twelve queries and two models, whose every number can be checked by hand. Read the
queries, cover the tables, and say what the router will do; then look. Nothing here is left to chance.

```sh
switchyard story greedy_goes_broke            # the queries, every step, the optimum in hindsight, a question
switchyard story greedy_goes_broke --answer   # and its answer
switchyard story price_of_a_budget budget.amounts_by_deployment.large=7   # what if
switchyard run experiment=story_greedy_goes_broke out=outputs/story       # the same as a study, with files and figures
switchyard explain outputs/story --query 4    # why each router sent query 4 where it did
```

The tables below are what the command prints, made by `python -m tests.stories.page`; a test holds that they are up to
date.

**How to read them.** A row is a step of one query, in order of time. `served` is sent and answered at once; with a
clock a query is `sent`, `starts` if it had to wait, and is `answered`. `queue` is how many wait at that deployment
after the step, and `budget left` what is left there after all that is promised to queries in service ("-" without a
budget). `why` is the rule's own reason, where it gives one; a *score* is what it compares, such as quality less price
x cost. `hindsight` is where the best plan sends the query, and what it earns there: it knows all queries and their
true quality beforehand, and no queue.

## A table of your own

Type the queries into a file: for each model `m` its score, its cost in USD and what is predicted of both.

```text
source,input_tokens,small,small|total_cost,small|quality_hat,small|cost_hat,large,large|total_cost,large|quality_hat,large|cost_hat
easy,100,0.9,1,0.8,1,1.0,3,0.9,3
middling,100,0.5,1,0.5,1,0.9,3,0.8,3
hard,100,0.1,1,0.2,1,1.0,3,0.9,3
```

```text
switchyard run workload=table workload.path=mine.csv order=given trace=events policy=[greedy_perf,dual_subgradient] \\
    budget=amounts 'budget.amounts_by_deployment={small: 3, large: 3}'
```

`m|quality_hat` and `m|cost_hat` are the estimates that every policy sees, so that the table needs neither history nor
embeddings, and all of its rows arrive. Where a rule asks the history for a mean, it finds that of the estimates. A
policy that is trained on a history still needs one. `m|latency_s` with `fleet=measured fleet.service.slots=1`, and
`arrival_s` with `arrivals=replay arrivals.path=mine.csv`, put the table on a clock.

`trace=events` prints the steps of the first replication, of at most 50 queries, for `run` and `compare` on any
scenario. A recorded trace in a file of the name `events` is `trace=./events`.

A story of your own is a file `conf/experiment/story_NAME.yaml` in a project: an experiment with the key `story`
(`title`, `question`, `answer`).
"""


@cache
def told(name: str) -> tuple[DictConfig, list[Chapter]]:
    """Return the configuration of a story in all of its orders, and its chapters."""
    with opened(None, []):
        config = composed([name])
        return config, chapters(config)


def markdown(table: pd.DataFrame, headers: list[str]) -> list[str]:
    """Return a table of texts as lines."""
    rows = [[str(cell).replace("|", "\\|") for cell in row] for row in table.itertuples(index=False)]
    return [f"| {' | '.join(row)} |" for row in (headers, ["---"] * len(headers), *rows)]


def chapter(one: Chapter, is_one_of_several: bool) -> list[str]:
    """Return the lines of a story in one order."""
    lines = [f"### Order `{one.order}`", ""] if is_one_of_several else []
    budgets = ", ".join(f"{name} {amount} USD" for name, amount in one.queries.attrs["budgets"].items())
    lines += [f"What each query would earn and cost{f' (budgets: {budgets})' if budgets else ''}:", ""]
    lines += [*markdown(one.queries, [str(column) for column in one.queries]), ""]
    for policy, rows, earned in one.told.parts:
        kept = shown_columns(rows)
        lines += [f"`{policy}`, step by step:", ""]
        lines += markdown(rows[kept], [dict(zip(COLUMNS, HEADERS, strict=True))[name] for name in kept])
        lines += ["", earned, ""]
    return [*lines, one.told.prices, ""] if one.told.prices else lines


def page() -> str:
    """Return the page."""
    lines = [HEAD]
    for name in READING_ORDER:
        config, chapters_of_it = told(name)
        heading = name.replace("_", " ")
        lines += [f"## {heading[0].upper()}{heading[1:]}", "", f"`switchyard story {name}`", "", config.story.title, ""]
        for one in chapters_of_it:
            lines += chapter(one, len(chapters_of_it) > 1)
        lines += [f"**Question.** {config.story.question}", ""]
        lines += ["<details><summary>Answer</summary>", "", config.story.answer, "", "</details>", ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(f"{PAGE.name}: {PAGE.write_text(page())} characters\n")
