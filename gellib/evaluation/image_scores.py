"""What every run scored on every test image, as one matrix: `ImageScores`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class ImageScores:
    """Scores of runs (columns) on test images (rows), 1 for right and 0 for wrong.

    Attributes
    ----------
    values
        (images, runs); NaN where a run was not tested on an image.
    names
        The runs, one a column.
    groups
        The group of each image; images of a group (near copies, slices of one subject) are not
        independent of each other. None: each image is a group of its own.
    what
        What the mean over the images is called.
    """

    values: np.ndarray
    names: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    what: str = "accuracy"

    @cached_property
    def place(self) -> dict[str, int]:
        """The column of each run."""
        return {name: i for i, name in enumerate(self.names)}

    def of(self, names: Sequence[str]) -> ImageScores:
        """Keep some runs, in the order given."""
        columns = [self.place[name] for name in names]
        return ImageScores(self.values[:, columns], tuple(names), self.groups, self.what)

    def pooled(self, members: Mapping[str, Sequence[str]]) -> ImageScores:
        """Average runs into configurations, image by image: folds and seeds of a configuration."""
        place = self.place
        out = np.full((len(self.values), len(members)), np.nan)
        for column, runs in enumerate(members.values()):
            own = self.values[:, [place[run] for run in runs if run in place]]
            tested = np.isfinite(own)
            count = tested.sum(axis=1)
            total = np.where(tested, own, 0.0).sum(axis=1)
            out[:, column] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return ImageScores(out, tuple(members), self.groups, self.what)

    def common(self) -> ImageScores:
        """Keep the images that every run was tested on."""
        rows = np.isfinite(self.values).all(axis=1)
        groups = None
        if self.groups is not None:
            groups = tuple(g for g, keep in zip(self.groups, rows, strict=True) if keep)
        return ImageScores(self.values[rows], self.names, groups, self.what)
