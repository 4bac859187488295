"""What was found out about files once, kept under their digests: plain values as JSON."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock


def known(folder: Path, name: str, facts: Any, find_out: Callable[[], Any]) -> Any:
    """Return what `find_out` returned for the same facts; processes wait for each other.

    The file `<name>-<key of the facts>.json` may be deleted at any time; a damaged one is
    made again.
    """
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]
    file = Path(folder) / f"{name}-{key}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        try:
            return json.loads(file.read_text(encoding="utf-8"))["found"]
        except (OSError, ValueError, KeyError, TypeError):  # not there, or damaged
            pass
        found = find_out()
        partial = file.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(json.dumps({"found": found}), encoding="utf-8")
        os.replace(partial, file)
    return found
