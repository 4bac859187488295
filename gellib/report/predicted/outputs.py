"""Where predictions are written, and which places are refused: `Outputs`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gellib.report.predicted.begun_file import OutputError


@dataclass(frozen=True)
class Outputs:
    """Where predictions are written; None for nowhere, but at least one is needed.

    Parameters
    ----------
    table
        CSV file: one row per image.
    page
        HTML file: the most uncertain images with small pictures.
    folder
        Folder for copies of the images, in folders by class.
    """

    table: Path | None = None
    page: Path | None = None
    folder: Path | None = None

    @property
    def begun(self) -> Path:
        """Where predictions are kept until all are made: `out.csv.part`."""
        first = self.table or self.page or self.folder
        if first is None:
            raise OutputError("nowhere to write predictions to: expected a table, page or folder")
        # `.` and `..` are no names.
        first = first if first.name not in ("", "..") else first.resolve()
        if not first.name:
            raise OutputError(f"{first} cannot be an output; expected a file or folder in it")
        return first.with_name(f"{first.name}.part")

    def check(self, given: Iterable[str | Path]) -> None:
        """Refuse places that would be mixed up with each other, or with the images.

        Parameters
        ----------
        given
            The image files, and the folders of images that were asked for.

        Raises
        ------
        OutputError
            When there is such a place.
        """
        places = [place for place in (self.table, self.page, self.folder, self.begun) if place]
        there = [place.resolve() for place in places]
        for number, place in enumerate(places):
            if there[number] in there[:number]:
                raise OutputError(f"{place} is given for two outputs; expected a name for each")
        own = [*map(Path, given)]
        self._check_files({_identity(path) for path in own if not path.is_dir()})
        if self.folder is None:
            return
        if self.folder.exists() and not self.folder.is_dir():
            raise OutputError(f"{self.folder} is a file; expected a folder to copy images to")
        for path in own:
            if path.is_dir() and self.folder.resolve().is_relative_to(path.resolve()):
                raise OutputError(
                    f"{self.folder} lies in {path}, whose images are predicted: the copies would "
                    "be predicted too next time. Name a folder outside of it."
                )

    def _check_files(self, images: set[object]) -> None:
        """Refuse names of other kinds of files, and files that are images to predict."""
        kinds = (("table", self.table, (".csv",)), ("page", self.page, (".html", ".htm")))
        for what, place, suffixes in kinds:
            if place and place.suffix.lower() not in suffixes:
                raise OutputError(
                    f"a {what} of predictions cannot be {place}: got the suffix {place.suffix!r}, "
                    f"expected {' or '.join(suffixes)}"
                )
        for place in (self.table, self.page, self.begun):
            if place and _identity(place) in images:
                raise OutputError(
                    f"{place} is one of the images to predict and would be written over; "
                    "name another output"
                )


def _identity(path: Path) -> object:
    """Return what is equal for two names of one file, links and upper case included."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return os.path.abspath(path)
    return found.st_dev, found.st_ino
