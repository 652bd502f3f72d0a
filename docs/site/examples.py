"""Marks doctests in docstrings as code: numpydoc has a section for them, a sentence before them is enough here."""

from __future__ import annotations

import re
from typing import Any

import griffe

HEADING = re.compile(r"-{3,}\s*$")


def marked(text: str) -> str:
    r"""Return a docstring whose doctests are fenced, or stand in a section of their own once there have been sections.

    >>> print(marked("Return it.\n\n>>> 1 + 1\n2\n"))
    Return it.
    <BLANKLINE>
    ```pycon
    >>> 1 + 1
    2
    ```
    """
    lines: list[str] = []
    section, is_code = "", False
    source = text.rstrip().splitlines()
    for place, line in enumerate(source):
        if place and HEADING.match(line) and source[place - 1].strip():
            section = source[place - 1].strip()
        if not is_code and line.startswith(">>>") and section != "Examples":
            is_code = True
            if section:
                section = "Examples"
                lines.extend(["", "Examples", "--------"])
                is_code = False
            else:
                lines.append("```pycon")
        elif is_code and not line.strip():
            is_code = False
            lines.append("```")
        lines.append(line)
    return "\n".join([*lines, "```"] if is_code else lines)


class Examples(griffe.Extension):
    """Is applied by mkdocstrings to every docstring."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Mark the doctests of one object."""
        if obj.docstring is not None and ">>>" in obj.docstring.value:
            obj.docstring.value = marked(obj.docstring.value)
