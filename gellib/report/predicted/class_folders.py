"""Copies of images in folders by class; the originals stay, and nothing is written over."""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gellib.base.files import CannotWriteError, delete_leftovers
from gellib.base.text import shorten

_NO_LABEL = "no label"
# What Windows does not allow in the name of a folder, control characters, and marks of direction.
_REFUSED = re.compile('[<>:"/\\\\|?*\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST = 60  # characters, of at most four bytes


def folder_names(classes: Iterable[str]) -> dict[str, str]:
    """Name a folder for each class, and for images without a label (the key is empty).

    What a file system refuses in a name is replaced by `_`; no two folders have one name, upper and
    lower case aside, and none lies outside of the folder that holds them.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for label in (*dict.fromkeys(classes), ""):
        base = _folder_name(label) if label else _NO_LABEL
        name, number = base, 1
        while name.casefold() in taken:
            number += 1
            name = f"{base} ({number})"
        taken.add(name.casefold())
        names[label] = name
    return names


def _folder_name(label: str) -> str:
    name = _REFUSED.sub("_", label.encode("utf-8", "replace").decode())
    # Windows drops spaces and points at the end; a point at the beginning hides a folder.
    name = shorten(name.strip(), _LONGEST).rstrip(" .")
    name = f"_{name[1:]}" if name.startswith(".") else name
    return f"_{name}" if _DEVICES.fullmatch(name) else name or "_"


@dataclass
class ClassFolders:
    """Copies images into folders by class; the same copies again are left as they are.

    Attributes
    ----------
    folder
        Where the folders are.
    names
        The folder of each class, from `folder_names`.
    copied, there
        How many copies were made, and how many were there already.
    failed
        Files that could not be copied, with the reason.
    made
        Labels that have a folder by now.
    """

    folder: Path
    names: dict[str, str]
    copied: int = 0
    there: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def copy(self, file: Path, labels: Iterable[str]) -> None:
        """Copy an image to the folder of each of its labels.

        Another file of its name gets a number, `01 (2).png`.

        Raises
        ------
        CannotWriteError
            When the disk is full or read-only.
        """
        for label in [*labels] or [""]:
            place = self.folder / self.names[label]
            try:
                if label not in self.made:
                    self.made.add(label)
                    place.mkdir(parents=True, exist_ok=True)
                    delete_leftovers(place)
                self._copy(file, place)
            except OSError as err:
                if os.access(file, os.R_OK):
                    raise CannotWriteError(place / file.name, err) from err
                self.failed.append((str(file), err.strerror or str(err)))

    def _copy(self, file: Path, place: Path) -> None:
        key = (place.name, file.name.casefold())
        while True:
            # A number is given once: two images of one name and content are two copies.
            number = self._numbers[key] = self._numbers.get(key, 0) + 1
            target = place / (file.name if number == 1 else f"{file.stem} ({number}){file.suffix}")
            if not os.path.lexists(target):
                _copy_new(file, target)
                self.copied += 1
                return
            if target.is_file() and filecmp.cmp(file, target, shallow=False):
                self.there += 1
                return


def _copy_new(file: Path, target: Path) -> None:
    """Copy a file whole or not at all, and never over another."""
    partial = target.with_name(f".copy.{os.getpid()}-{uuid.uuid4().hex[:8]}")
    try:
        shutil.copy2(file, partial)
        try:
            os.link(partial, target)
        except FileExistsError:
            raise
        except OSError:
            # A file system without links.
            os.rename(partial, target)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
