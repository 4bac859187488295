"""Find the image files that a table names."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from pathlib import Path

from gellib.base.text import quote_some
from gellib.data.imageset import DatasetError
from gellib.data.layouts.folders import find_images


class FileFinder:
    """Finds the image that a cell names: a path, or a name without folder or extension."""

    def __init__(self, path: Path) -> None:
        self.root, self.source = path.parent, path.name
        self._by_name: dict[str, set[str]] | None = None

    def find(self, name: str) -> str | None:
        """Return the path of an image relative to the folder of the table, or None.

        Raises
        ------
        DatasetError
            If the name matches two files or more.
        """
        for text in (name, name.replace("\\", "/")):
            if text and _is_file(self.root / text):
                return Path(os.path.relpath(self.root / text, self.root)).as_posix()
        found = self._names().get(_key(name.replace("\\", "/")), set())
        if len(found) > 1:
            raise DatasetError(
                f"{self.root}: {name!r} in {self.source} matches {quote_some(sorted(found))}. "
                "Expected one image. Write the path with its folder and extension."
            )
        return next(iter(found), None)

    def is_image(self, name: str) -> bool:
        """Whether a cell names an image, or several."""
        try:
            return self.find(name) is not None
        except DatasetError:
            return True

    def _names(self) -> dict[str, set[str]]:
        if self._by_name is None:
            self._by_name = defaultdict(set)
            for path in find_images(self.root):
                file = path.relative_to(self.root)
                for name in (file, file.with_suffix(""), Path(file.name), Path(file.stem)):
                    self._by_name[_key(name.as_posix())].add(file.as_posix())
        return self._by_name


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _key(name: str) -> str:
    # macOS stores an accent separately from its letter; tables written elsewhere do not.
    return unicodedata.normalize("NFC", name).removeprefix("./")
