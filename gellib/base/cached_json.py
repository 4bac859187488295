"""Plain values computed once from given facts, such as digests of files, and kept as JSON."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gellib.base.files import CannotWriteError, write_text
from gellib.base.locks import locked_if_allowed


def cached_json(folder: Path, name: str, facts: Any, compute: Callable[[], Any]) -> Any:
    """Return what `compute` returned for the same facts; processes wait for each other.

    Where the folder is closed or full, what was kept is read, and nothing more is kept.

    Parameters
    ----------
    folder
        Where values are kept, each in `<name>-<key of the facts>.json`. The files may be deleted
        at any time; a damaged one is computed again.
    name
        What is kept, in a word.
    facts
        Plain values, on which alone the result depends.
    compute
        Returns plain values, which JSON can hold.
    """
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]
    file = Path(folder) / f"{name}-{key}.json"
    with locked_if_allowed(file.with_suffix(".lock")) as refused:
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            if kept["checksum"] == _checksum(kept["found"]):
                return kept["found"]
        except (OSError, ValueError, KeyError, TypeError):  # not there, or damaged
            pass
        found = compute()
        if refused is None:
            with contextlib.suppress(CannotWriteError):
                write_text(file, json.dumps({"checksum": _checksum(found), "found": found}))
    return found


def _checksum(found: Any) -> str:
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]
