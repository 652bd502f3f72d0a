"""Write docs/api.md from signatures and docstrings: ``python -m docs.make_api``. It knows no object by name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MODULES = (
    "sim.cli.api",
    "sim.interface",
    "sim.workload",
    "sim.deployment",
    "sim.scenario",
    "scenarios.budgets",
    "scenarios.events",
    "scenarios.fleets",
    "sim.study.experiment",
    "sim.study.ratio",
    "sim.study.ratio_tables",
    "sim.study.explanation",
    "sim.study.statistics",
)
OF_POLICIES = ("Policy", "Estimator")  # what is public in policies: what is one of these
LISTS = ("Parameters", "Returns", "Raises", "Attributes", "Yields")
INTRODUCTION = """\
# Python

Made by `make docs` from the docstrings; do not edit. Switchyard has to be installed in the notebook's environment.

The words of the command line work in Python, and what comes back are DataFrames:

```python
from sim.cli.api import compare

summary = compare("policy=[random,greedy_perf,port_fallback]", "budget=uniform", "replications=3")
summary.groupby("policy", sort=False)[["quality", "served", "optimum_ratio"]].mean()
```

A policy of one's own stands beside those that are configured:

```python
from policies.msvv import Msvv
from sim.cli.api import compare, policies

nearest = policies("port")["port"].estimator
compare("policy=port_fallback", "replications=1", others={"mine": Msvv(nearest)})[["policy", "quality"]]
```

Parts are objects, for what no word says:

```python
from dataclasses import replace

from scenarios.events import BudgetCut, Outage
from sim.cli.api import policies, scenario
from sim.study.experiment import compare

busy = scenario("fleet=slots", "arrivals.rate_per_s=40")
worse = replace(busy, events=[Outage(60.0, 30.0, "gpt-4-1106-preview"), BudgetCut(0.5, at="25%")])
compare(worse, policies("least_loaded", "port_fallback"), replications=2)[["policy", "served", "quality"]]
```
"""


def document() -> str:
    """Return the whole page."""
    names = [*MODULES, *submodules("policies")]
    return "\n".join([INTRODUCTION, *(section for name in names for section in of_module(name))])


def submodules(package: str) -> list[str]:
    """Return the modules below a package, by name."""
    path = importlib.import_module(package).__path__
    return sorted(found.name for found in pkgutil.walk_packages(path, f"{package}.") if not found.ispkg)


def of_module(name: str) -> Iterator[str]:
    """Yield the sections of a module: its opening sentence, then what it defines and does not hide."""
    module = importlib.import_module(name)
    members = [member for member in vars(module).values() if is_public(member, name)]
    if members:
        yield f"## {name}\n\n{markdown(module.__doc__ or '')}\n"
        for member in members:
            yield of_member(member)


def is_public(member: Any, module: str) -> bool:
    """Return whether a module defines this class or function for others."""
    if not (inspect.isclass(member) or inspect.isfunction(member)) or member.__module__ != module:
        return False
    if not module.startswith("policies"):
        return not member.__name__.startswith("_")
    return inspect.isclass(member) and any(base.__name__ in OF_POLICIES for base in member.__mro__)


def of_member(member: Any) -> str:
    """Return the section of a class or function."""
    name, kind = member.__name__, "class " if inspect.isclass(member) else ""
    text = f"### {kind}{name}\n\n```text\n{name}{signature(member)}\n```\n\n{markdown(doc(member))}\n"
    methods = [one for one in vars(member).values() if inspect.isfunction(one)] if inspect.isclass(member) else []
    shown = [one for one in methods if not one.__name__.startswith("_") and one.__doc__]
    lines = [f"- `{one.__name__}{signature(one)}`: {doc(one).splitlines()[0]}" for one in shown]
    return text + ("\n" + "\n".join(lines) + "\n" if lines else "")


def doc(member: Any) -> str:
    """Return a docstring of its own, not of a base class and not the signature that a dataclass has for one."""
    own = member.__doc__ or ""
    return "" if own.startswith(f"{member.__name__}(") else inspect.cleandoc(own)


def signature(member: Any) -> str:
    """Return the parameters, without ``self`` and without the quotes of annotations."""
    unquoted = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(member)))
    return re.sub(r"^\(self(, )?", "(", unquoted)


def markdown(docstring: str) -> str:
    """Return a numpydoc docstring as Markdown: named parts in bold, lists of parameters as lists, examples as code."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", inspect.cleandoc(docstring), flags=re.MULTILINE)
    out = [examples(parts[0]).strip()]
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        out += [f"**{title}**", (entries(body) if title in LISTS else examples(body)).strip()]
    return "\n\n".join(out)


def entries(body: str) -> str:
    """Return ``name : type`` and what is indented below it as list items."""
    lines = []
    for line in body.strip().splitlines():
        if line and not line.startswith(" "):
            lines.append(f"- `{line.strip()}`")
        elif line:
            lines.append(f"  {line.strip()}")
    return "\n".join(lines)


def examples(text: str) -> str:
    """Put doctests into code blocks."""
    return re.sub(r"^(>>> .*(?:\n\S.*)*)", r"```pycon\n\1\n```", text, flags=re.MULTILINE)


if __name__ == "__main__":
    Path(__file__).with_name("api.md").write_text(document())
