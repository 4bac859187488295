"""What lies in the cache of features and findings, and how it is deleted."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from filelock import FileLock, Timeout

from gellib.base.files import is_being_written, is_temporary

# `<key>.npy` of features with its note and lock, and `<name>-<key>.json` of findings; temporary
# ones are those that a command writes, or left when it was killed.
_KEY = re.compile(r"([a-z_]+-)?[0-9a-f]{32,40}")
_SUFFIXES = {".json", ".npy", ".lock"}
_UNNAMED = "unfinished"


@dataclass
class CacheContents:
    """Files of the cache in a folder; others in it are not looked at and never deleted.

    Attributes
    ----------
    folder
        The folder; it may not exist.
    files
        All files of the cache.
    kinds
        By what is kept, such as `resnet18 features`: number of entries and bytes.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    kinds: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> CacheContents:
        """Look up what a folder holds."""
        found = cls(folder)
        own = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in own:
            if _is_ours(path) and path.is_file() and not path.is_symlink():
                found._add(path)
        found.kinds = dict(sorted(found.kinds.items(), key=lambda item: -item[1][1]))
        return found

    def _add(self, path: Path) -> None:
        self.files.append(path)
        if path.suffix == ".lock":
            return
        if path.suffix == ".json" and path.with_suffix(".npy").is_file():
            return
        with contextlib.suppress(OSError):
            kind = _kind(path)
            count, size = self.kinds.get(kind, (0, 0))
            self.kinds[kind] = (count + 1, size + path.stat().st_size)

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return sum(size for _, size in self.kinds.values())

    def clear(self) -> list[Path]:
        """Delete the files but those that a command writes; return those that are still there."""
        kept = []
        for key, own in groupby(sorted(self.files, key=_key), _key):
            with _lock(self.folder / f"{key}.lock") as free:
                # Notes first, as an array without a note is ignored; the lock last.
                for path in sorted(
                    own, key=lambda path: (path.suffix != ".json", path.suffix == ".lock")
                ):
                    try:
                        if not free or is_being_written(path):
                            kept.append(path)
                        # Windows deletes the file of a lock itself, when it is released.
                        elif path.suffix != ".lock" or os.name != "nt":
                            path.unlink(missing_ok=True)
                    except OSError:
                        kept.append(path)
        return kept


@contextlib.contextmanager
def _lock(file: Path) -> Iterator[bool]:
    """Hold a lock that is there; say whether no other command does."""
    lock = FileLock(file)
    if file.is_file() and not file.is_symlink():
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        except (OSError, NotImplementedError):
            pass  # a folder that may not be written to, or without locks
    try:
        yield True
    finally:
        lock.release()


def _key(path: Path) -> str:
    return path.name.lstrip(".").partition(".")[0]


def _is_ours(path: Path) -> bool:
    if not _KEY.fullmatch(_key(path)):
        return False
    return (
        is_temporary(path) or path.name == f"{_key(path)}{path.suffix}" and path.suffix in _SUFFIXES
    )


def _kind(path: Path) -> str:
    if path.name.startswith("."):
        return _UNNAMED
    name = path.stem.rpartition("-")[0]
    if name:
        return name.replace("_", " ")
    try:
        note = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return str(note["what"]) if isinstance(note["what"], str) else _UNNAMED
    except (OSError, ValueError, KeyError, TypeError):
        return _UNNAMED
