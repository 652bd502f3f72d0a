"""Writes the pages of ``--help``: verbs and groups, and for one verb its choices and keys. It makes no object."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from sim.cli.configuration import GROUPS, composed, options
from sim.cli.docstrings import parameters
from sim.cli.project import SHIPPED, Project
from sim.cli.verbs import STORY, VERBS
from sim.study.output.source_digest import targets

OPTIONS = """\
options:
  --answer       of story: say the answer to its question
  --cfg          print the configuration and do nothing
  --no-report    write tables alone, a small study in a quarter of the time; switchyard report DIR draws them later
  --overwrite    replace what another command wrote to out=DIR, once the new output is whole
  --project DIR  find your own conf/ and modules in DIR; without it in the current folder
  --suggest GOAL say which policy of a comparison fits a goal: cost, quality or latency; the same as suggest=GOAL
  --query ID     of explain DIR: why each policy of a finished run or comparison sent one query where it did
  --traceback    on an error, print where it happened
  --help         with a verb: its keys, their meaning and their values
  --version      print the version
"""
WIDTH = 118
KEY_WIDTH = 34
TAKES = {
    "new": "KIND NAME",
    "story": "NAME [--answer] [KEY=VALUE ...]",
    "explain": "[OPTION ...] [KEY=VALUE ...]\n       switchyard explain DIR --query ID [policy=NAME] [replication=N]",
}
NAMES = ("policy", "order", "events", "metric")  # groups whose options stand under their own names
NOT_LISTED = ("metric", "axes")  # whose keys are too many to be of help


def usage(project: Project | None) -> str:
    """Return the page of ``switchyard --help``, with every group's options."""
    lines = ["usage: switchyard VERB [OPTION ...] [KEY=VALUE ...]", "       switchyard VERB --help", "", "verbs:"]
    lines += [f"  {verb:<13}{one.what}" for verb, one in VERBS.items()]
    lines += ["", OPTIONS, "KEY=VALUE picks an option of a group or sets a key (Hydra's override grammar). The groups:"]
    lines += [line for group in GROUPS for line in wrapped(f"  {group:<11}", ", ".join(options(group)), 13)]
    if project is not None:
        own = {group: names for group in GROUPS if (names := project.options(group))}
        lines += ["", f"of these, from the project in {project.folder}:"]
        lines += [f"  {group:<11}{', '.join(names)}" for group, names in own.items()] or ["  none"]
    lines += ["", "examples:", *(f"  switchyard {one.example}" for one in VERBS.values())]
    return "\n".join(lines) + "\n"


def help_of_verb(verb: str, words: Sequence[str], project: Project | None) -> str:
    """Return the page of ``switchyard VERB --help``: its choices and keys, as the other words leave them.

    Parameters
    ----------
    verb : str
    words : sequence of str
        ``KEY=VALUE``, such as ``policy=steward``, whose keys are then shown.
    project : Project or None
    """
    one = VERBS[verb]
    lines = [f"usage: switchyard {verb} {TAKES.get(verb, '[OPTION ...] [KEY=VALUE ...]')}"]
    lines += ["", f"{one.what[0].upper()}{one.what[1:]}.", "", f"example: switchyard {one.example}", ""]
    if verb == "new":
        kinds = "policy, metric, workload, arrivals or fleet"
        lines += [f"KIND is {kinds}. NAME is a name for it in small letters, such as mine.", ""]
        wanted = [line for line in OPTIONS.splitlines() if "--project" in line or "--traceback" in line]
        return "\n".join([*lines, "options:", *wanted]) + "\n"
    if verb == "story":
        names = [name.removeprefix(STORY) for name in options("experiment") if name.startswith(STORY)]
        lines += [*wrapped("NAME is one of ", ", ".join(names), 15), ""]
        words = [word for word in words if "=" in word]
    config: dict[str, Any] = OmegaConf.to_container(composed(verb, words)[0], resolve=False)  # type: ignore[assignment]
    meanings = comments(verb, config, project)
    groups = [group for group in GROUPS if group in meanings or group in config]
    if groups:
        lines += ["choices (GROUP=NAME):"]
        lines += [line for group in groups for line in wrapped(f"  {group:<11}", choices(group, meanings), 13)]
        lines += [""]
    lines += ["keys (KEY=VALUE), with their present values:"]
    for key, value, meaning in keys(config, meanings):
        lines += entry(f"{key}={value}", meaning)
    return "\n".join([*lines, "", OPTIONS])


def choices(group: str, meanings: Mapping[str, str]) -> str:
    """Return what a group is for, and its options."""
    said = meanings.get(group, "")
    return f"{said + '. ' if said else ''}Options: {', '.join(options(group))}"


def keys(config: Mapping[str, Any], meanings: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield every key that a word may set, its value as it would be written, and its meaning; plain keys first."""
    listed = {name: value for name, value in config.items() if name not in NOT_LISTED}
    for name, value in listed.items():
        if not isinstance(value, dict):
            yield name, written(value), meanings.get(name, "")
    for name, value in listed.items():
        if isinstance(value, dict):
            yield from keys_of(value, name, meanings)


def keys_of(node: Mapping[str, Any], prefix: str, meanings: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the keys inside a node; of a node with a ``_target_`` their meanings are in its docstring."""
    said = parameters(str(node.get("_target_", "")))
    for name, value in node.items():
        key = f"{prefix}.{name}"
        if name in ("_target_", "_partial_"):
            continue
        documented = said.get(str(name))
        if isinstance(value, dict) and value and ("_target_" in value or documented is None):
            yield from keys_of(value, key, meanings)
            continue
        meaning = meanings.get(key, "") if documented is None else documented.meaning or meanings.get(key, "")
        kind = "" if documented is None or not meaning else documented.kind
        yield key, written(value), ". ".join(filter(None, (kind, meaning)))


def written(value: Any) -> str:
    """Return a value as a word would give it; a long list by its length."""
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    text = text.replace('"', "").replace(", ", ",").replace(": ", ":")
    if len(text) <= KEY_WIDTH or not isinstance(value, list | dict):
        return text
    return f"[{len(value)} entries]" if isinstance(value, list) else f"{{{len(value)} entries}}"


def entry(key: str, meaning: str) -> list[str]:
    """Return the lines of a key; a long key has its meaning on the next line."""
    if len(key) > KEY_WIDTH:
        return [f"  {key}", *(wrapped(" " * (KEY_WIDTH + 4), meaning, KEY_WIDTH + 4) if meaning else [])]
    return wrapped(f"  {key:<{KEY_WIDTH}}  ", meaning, KEY_WIDTH + 4)


def wrapped(first: str, text: str, indent: int) -> list[str]:
    """Return a text in lines, the first after ``first`` and the others indented."""
    return textwrap.wrap(
        text or " ",
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        drop_whitespace=True,
    ) or [first.rstrip()]


def comments(verb: str, config: Mapping[str, Any], project: Project | None) -> dict[str, str]:
    """Return what YAML says beside the keys of a verb, its groups, and the options that are chosen, by dotted key."""
    folders = [SHIPPED] if project is None else [SHIPPED, project.conf]
    found: dict[str, str] = {}
    chosen = set(targets(config))
    for group in GROUPS:
        for path in (path for folder in folders for path in sorted((folder / group).glob("*.yaml"))):
            text = path.read_text(encoding="utf-8")
            if not set(TARGET.findall(text)[:1]) & chosen:  # an option that makes something else, or an experiment
                continue
            prefix = "" if "# @package _global_" in text else f"{group}."
            found |= {f"{prefix}{key}": said for key, said in of_yaml(text).items()}
    is_study = re.search(r"^\s+- study$", verb_text(verb), re.MULTILINE)
    for name in ("study", verb) if is_study else (verb,):
        for path in (path for folder in folders if (path := folder / f"{name}.yaml").is_file()):
            found |= of_yaml(path.read_text(encoding="utf-8"))
    return found


def verb_text(verb: str) -> str:
    """Return the shipped YAML of a verb."""
    path = SHIPPED / f"{verb}.yaml"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


TARGET = re.compile(r"_target_: *([\w.]+)")
LINE = re.compile(r"^(?P<indent> *)(?P<dash>- )?(?P<key>[\w/@.]+):(?P<value>[^#]*?)(?:\s# (?P<said>.*))?$")


def of_yaml(text: str) -> dict[str, str]:
    r"""Return the comments on the lines of keys, by dotted key; of an entry of the defaults by its group.

    >>> of_yaml("defaults:\n  - fleet: instant # what serves\nretry:\n  attempts: 1 # in all\n")
    {'fleet': 'what serves', 'retry.attempts': 'in all'}
    """
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        indent = len(match["indent"])
        path = [step for step in path if step[0] < indent]
        if match["dash"]:
            key = match["key"].removeprefix("/").removeprefix("override ")
        else:
            path.append((indent, match["key"]))
            key = ".".join(step for _, step in path)
        if match["said"]:
            found[key] = match["said"].strip()
    return found
