"""What lies in the cache of features and findings, and how it is deleted."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

# `<key>.npy` of features with its note and lock, and `<name>-<key>.json` of findings; hidden ones
# are those that a command writes, or left when it was killed.
_OURS = re.compile(
    r"([a-z_]+-)?[0-9a-f]{32,40}\.(json|npy|lock)|\.([a-z_]+-)?[0-9a-f]{32,40}\.\d+-[0-9a-f]{8}\..*"
)
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
            if _OURS.fullmatch(path.name) and path.is_file() and not path.is_symlink():
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
        """Delete the files; return those that could not be deleted, such as one in use."""
        kept = []
        # Notes first: an array without a note is ignored.
        for path in sorted(self.files, key=lambda path: path.suffix == ".npy"):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                kept.append(path)
        return kept


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
