"""The nearest known word, for messages about an unknown one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(got: str, known: Iterable[str]) -> str:
    """Say `did you mean 'x'? `, with a space behind it, where a known word is near; else nothing.

    It stands before what was expected: `got 'trian': did you mean 'train'? Expected ...`.
    """
    near = difflib.get_close_matches(got, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}? " if near and near[0] != got else ""
