"""Judges answers as ZeroEval does: finds the answer in a reply that should be JSON, and compares it with the truth."""

from __future__ import annotations

import ast
import json
import operator
import re
from collections.abc import Callable
from typing import Any

NUMBER = re.compile(r"-?\d+(\.\d+)?")
LOOSE = [  # the answer in a reply that is no JSON, from the strictest reading to the loosest
    re.compile(r'"answer"\s*:\s*"([^"]*?)"'),
    re.compile(r'"answer"\s*:\s*([^,\s]*)'),
    re.compile(r"answer\s*:\s*([^,\s]*)"),
]
BOXED = re.compile(r"\\boxed{(\w+)}")
ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def answer_in(reply: str, model: str) -> Any:
    """Return the answer that a reply gives, a value of JSON or a text; None if none is found.

    It is looked for in the first braces that close; if they hold no JSON or no answer, by patterns in all of the reply;
    and for Llama 3.1, which likes to box its answers, in the first box.
    """
    found = first_object(reply)
    if found is not None and "answer" in found:
        return found["answer"]
    for pattern in LOOSE:
        if match := pattern.search(reply):
            return match[1]
    match = BOXED.search(reply) if "Llama-3.1" in model else None
    return match[1] if match else None


def first_object(reply: str) -> dict[str, Any] | None:
    """Return the JSON object between the first brace and the one that closes it; None if that is none."""
    depth, start = 0, 0
    for place, character in enumerate(reply):
        if character == "{":
            start = place if depth == 0 else start
            depth += 1
        elif character == "}" and depth:
            depth -= 1
            if depth == 0:
                try:
                    found = json.loads(reply[start : place + 1].replace("\n", ""))
                except json.JSONDecodeError:
                    return None
                return found if isinstance(found, dict) else None
    return None


def same_number(answer: Any, truth: str) -> bool:
    """Return whether the first numbers of two texts are equal, without dollar signs, commas and fractions."""
    numbers = [NUMBER.search(plain(str(text))) for text in (answer, truth.replace("#", ""))]
    return all(numbers) and float(numbers[0][0]) == float(numbers[1][0])  # type: ignore[index]


def plain(text: str) -> str:
    """Return a text without dollar signs and commas; a fraction as a number."""
    text = text.replace("$", "").strip().replace(",", "")
    if "/" not in text:
        return text
    try:
        return str(float(value(ast.parse(text, mode="eval").body)))
    except (ValueError, SyntaxError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
        return text


def value(node: ast.expr) -> float:
    """Return the value of an expression of numbers and + - * /; raise ValueError for any other."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        return ARITHMETIC[type(node.op)](value(node.left), value(node.right))
    raise ValueError("no arithmetic")


def same_literal(answer: Any, truth: str) -> bool:
    """Return whether an answer is the literal of the truth; a text that is plainly one gets its quotes."""
    text = str(answer)
    is_text = isinstance(answer, str) and not any(character in text for character in "({[]})")
    if is_text and not text.replace(".", "", 1).isdigit() and text.lower() not in ("true", "false"):
        text = f"'{text}'"
    return text != "" and text == truth
