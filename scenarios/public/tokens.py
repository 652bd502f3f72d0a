"""Counts tokens of texts with one public tokenizer, or by their length where that is asked for."""

from __future__ import annotations

from collections.abc import Callable

from scenarios.readers.cells import CHARACTERS_PER_TOKEN
from sim.errors import check_one_of

TOKENIZERS = ("cl100k", "characters")


def counter(tokenizer: str) -> Callable[[str], int]:
    """Return what counts the tokens of a text.

    Parameters
    ----------
    tokenizer : str
        ``cl100k``, with tiktoken, which fetches its vocabulary on first use. ``characters``: four characters a token.

    Raises
    ------
    ValueError
        If it is another one.
    ImportError
        If the extra ``data`` is needed and not installed.
    OSError
        If the vocabulary cannot be fetched.
    """
    check_one_of("tokenizer", tokenizer, TOKENIZERS)
    if tokenizer == "characters":
        return lambda text: max(1, len(text) // CHARACTERS_PER_TOKEN)
    try:
        import tiktoken
    except ImportError as error:
        raise ImportError(
            "counting tokens needs tiktoken: pip install 'llm-switchyard[data]', "
            "or take tokenizer=characters, which counts four characters a token"
        ) from error
    try:
        encoding = tiktoken.get_encoding("cl100k_base")
    except Exception as error:  # of whatever tiktoken fetches with
        raise OSError(
            f"cannot fetch the vocabulary of cl100k: {type(error).__name__}; with a network it is fetched once, "
            "and tokenizer=characters, which counts four characters a token, needs none"
        ) from error
    return lambda text: len(encoding.encode(text, disallowed_special=()))
