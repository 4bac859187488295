"""Texts of messages and figures: the nearest known word, lists in words, names cut to fit."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable

# Stands between the names where an image has several labels.
JOIN = "|"


def did_you_mean(got: str, known: Iterable[str]) -> str:
    """Say `did you mean 'x'? `, with a space behind it, where a known word is near; else nothing.

    It stands before what was expected: `got 'trian': did you mean 'train'? Expected ...`.
    """
    near = difflib.get_close_matches(got, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}? " if near and near[0] != got else ""


def join_some(names: Iterable[object], most: int = 5) -> str:
    """Join the first names of a list for a message: `a, b and 3 more`."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(str(name) for name in names[:most]) + more


def quote_some(names: Iterable[object], most: int = 5) -> str:
    """Quote the first names of a list for a message: `'a', 'b' and 3 more`."""
    return join_some(map(repr, names), most)


def join_and(parts: Iterable[str]) -> str:
    """Join with commas and a last `and`: `a, b and c`."""
    parts = list(parts)
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def shorten(text: str, most: int, *, middle: bool = False) -> str:
    """Cut a text to at most `most` characters, an ellipsis in place of what is left out.

    The end is cut off, or the middle: the two ends of a file name tell it from others.
    """
    if len(text) <= most:
        return text
    if not middle:
        return f"{text[: most - 1]}…"
    return f"{text[: most // 2]}…{text[-(most - most // 2 - 1) :]}"


def wrap_line(text: str, width: int, indent: str = "  ") -> str:
    """Break a line that is longer than `width` at its spaces; further lines are indented."""
    if len(text) <= width:
        return text
    return textwrap.fill(
        text,
        max(width, 2 * len(indent) + 20),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def join_labels(names: Iterable[str]) -> str:
    """Write the labels of one image as one text: `cat|dog`; of none it is empty."""
    return JOIN.join(names)


def labels_of(text: str) -> list[str]:
    """Read the labels of one image back from what `join_labels` wrote."""
    return [name for name in text.split(JOIN) if name]


def bytes_text(n: int) -> str:
    """Write a number of bytes: `3.4 GB`, below one gigabyte `12.3 MB`."""
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.1f} MB"
