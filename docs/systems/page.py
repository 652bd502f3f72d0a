"""Writes docs/systems.md from the files of this folder, one per published system.

python docs/systems/page.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "systems.md"
KEYS = (
    "system",
    "paper",
    "policies",
    "when",
    "on_what",
    "computed",
    "how",
    "claim",
    "reference",
    "ours",
    "differs",
    "unverified",
)
WORDS = {
    "claim": "Claim",
    "reference": "Matched with",
    "ours": "Ours",
    "differs": "Differs",
    "unverified": "Unverified",
}
HEAD = """# Published routers, each beside what its authors published

Every system below is a policy, or an estimator with a rule, that `switchyard compare` runs beside all others on the
same queries. `switchyard compare experiment=systems` runs all that apply to a workload and says of the others why not;
`policy=[NAME,NAME]` runs some.

The first table follows the axes of a survey (arXiv 2603.04445): when a router decides, on what, and how that is
computed. Read down one column to find the systems that could stand in for each other: those that decide at the same
moment, on the same things. Then each has a section: how it decides, the paper's claim, what ours was matched with,
what we measured and which test holds it, what differs and why.

[What a decision costs](evidence/policies.md) says how long each takes, and which stay within three times of a greedy
rule in a run of a million queries. This page is made of the files in `docs/systems/` by
`python docs/systems/page.py`, and a test holds that it is up to date.
"""


def read() -> list[dict[str, str | list[str]]]:
    """Return what is known of each system, in the order of their names."""
    systems = []
    for path in sorted(HERE.glob("*.yaml")):
        known = yaml.safe_load(path.read_text())
        if set(known) != set(KEYS):
            raise ValueError(f"{path.name} has the keys {', '.join(known)}; they must be {', '.join(KEYS)}")
        systems.append(known)
    return sorted(systems, key=lambda known: str(known["system"]).lower())


def short(system: str) -> str:
    """Return a system's name without what stands in brackets."""
    return system.partition(" (")[0]


def paper(known: dict[str, str | list[str]]) -> str:
    """Return the number of the paper as a link."""
    number = str(known["paper"]).removeprefix("arXiv").strip(" :")
    return f"[{number}](https://arxiv.org/abs/{number.split()[0].rstrip(',;')})"


def page() -> str:
    """Return the page."""
    systems = read()
    lines = [HEAD, "| system | paper | when | on what | how it is computed | here |", "|---|---|---|---|---|---|"]
    for known in systems:
        here = ", ".join(f"`{name}`" for name in known["policies"])
        cells = (
            short(str(known["system"])),
            paper(known),
            *(sentence(known[key]) for key in ("when", "on_what", "computed")),
            here,
        )
        lines.append(f"| {' | '.join(cells)} |")
    for known in systems:
        lines += ["", f"## {short(str(known['system']))}", ""]
        lines.append(f"{paper(known)}. **How.** {sentence(known['how'])}")
        for key, word in WORDS.items():
            text = sentence(known[key])
            if text:
                lines += ["", f"**{word}.** {text[0].upper()}{text[1:]}"]
    return "\n".join(lines) + "\n"


def sentence(text: str | list[str] | None) -> str:
    """Return a text on one line, its bars escaped for tables."""
    return " ".join(str(text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(f"{PAGE.name}: {PAGE.write_text(page())} characters\n")
