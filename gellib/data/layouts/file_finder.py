"""Find the image files that a table names."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections import defaultdict
from pathlib import Path

from gellib.base.text import quote_some
from gellib.data.imageset import DatasetError
from gellib.data.layouts.folders import find_images

# How a spreadsheet may show the number that is the name of a file.
_NUMBER = re.compile(r"\d{1,3}(,\d{3})+|\d{1,15}(\.\d+)?([eE]\+?\d{1,2})?")
_MOST_COMPARED = 20_000  # names, a second's work


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

    def suggest(self, name: str) -> str:
        """Return the image whose name is nearest to one that does not exist, or nothing.

        Lost leading zeros, another case, extension, folder or separator are found, then misprints.
        """
        files = {file for found in self._names().values() for file in found}
        near: dict[str, list[str]] = defaultdict(list)
        for file in sorted(files):
            near[_rough(file)].append(file)
        wanted = _rough(name)
        if wanted not in near:
            close = difflib.get_close_matches(wanted, list(near)[:_MOST_COMPARED], 1, cutoff=0.85)
            wanted = close[0] if close else wanted
        return near[wanted][0] if near[wanted] else ""

    def unnamed(self, named: set[str]) -> list[str]:
        """List the images below the folder that are not among those named, sorted."""
        files = {file for found in self._names().values() for file in found}
        return sorted(files - named)

    def _names(self) -> dict[str, set[str]]:
        if self._by_name is None:
            self._by_name = defaultdict(set)
            for path in find_images(self.root):
                file = path.relative_to(self.root)
                for name in (file, file.with_suffix(""), Path(file.name), Path(file.stem)):
                    self._by_name[_key(name.as_posix())].add(file.as_posix())
        return self._by_name


def _rough(name: str) -> str:
    """Reduce a name to its stem without case, spaces and leading zeros."""
    base = unicodedata.normalize("NFKC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    base = "".join(char for char in base if unicodedata.category(char) not in ("Cf", "Cc"))
    if _NUMBER.fullmatch(base.strip()) and float(base.replace(",", "")).is_integer():
        base = f"{float(base.replace(',', '')):.0f}"  # 1.0, 1.00E+05, 1,001
    stem = re.sub(r"\.[A-Za-z]{2,5}$", "", base.strip()).casefold()
    return re.sub(r"[\s_\u200b\ufeff-]+", "", re.sub(r"(?<!\d)0+(?=\d)", "", stem))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _key(name: str) -> str:
    # macOS stores an accent separately from its letter; tables written elsewhere do not.
    return unicodedata.normalize("NFC", name).removeprefix("./")
