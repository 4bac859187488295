"""The images of a folder to label next, and what was left out: `NextImages`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from gellib.evaluation.label_savings import Savings
from gellib.training_run.prediction import Prediction


@dataclass(frozen=True)
class NextImage:
    """One image to label.

    `rank` counts from 1, in the order of choosing; `uncertainty` is that of its label, 0 to 1;
    `at_random` says that it was picked at random; `copies` are other images of the folder that hold
    the same, and need no label of their own.
    """

    rank: int
    prediction: Prediction
    uncertainty: float
    at_random: bool
    copies: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The image file."""
        return self.prediction.file

    @property
    def reason(self) -> str:
        """Why it was chosen: `uncertain` or `random`."""
        return "random" if self.at_random else "uncertain"

    def to_dict(self) -> dict[str, Any]:
        """Return `rank, file, reason, uncertainty, label, probabilities, statement, copies`."""
        return {
            "rank": self.rank,
            "file": self.file,
            "reason": self.reason,
            "uncertainty": self.uncertainty,
            "label": self.prediction.label,
            "probabilities": self.prediction.probabilities,
            "statement": self.prediction.statement,
            "copies": [*self.copies],
        }


@dataclass(frozen=True)
class NextImages:
    """The images of a folder to label next, and what was left out.

    Attributes
    ----------
    images
        The images to label, in the order of choosing.
    folder, run
        Where they were looked for, and the run that chose.
    wanted, found
        How many images were asked for, and how many files the folder has.
    labelled, like_labelled
        Files that are among the labelled images of the run, and images that nearly are.
    unreadable
        Files that cannot be read, with the reason.
    classes
        The classes of the run.
    warning
        What could not be done; empty for nothing.
    savings
        Whether choosing saved labels in trials on the labelled images; None where it was not tried.
    """

    images: tuple[NextImage, ...]
    folder: str
    run: str
    wanted: int
    found: int
    labelled: int
    like_labelled: int
    unreadable: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]
    warning: str = ""
    savings: Savings | None = None

    def sentences(self) -> list[str]:
        """Say what was chosen from, what was left out, and whether choosing saves labels."""
        said = [f"{count_images(len(self.images))} of {self.found} in {self.folder} to label next"]
        if self.labelled:
            said.append(f"left out: {count_images(self.labelled)} with a label already")
        if self.like_labelled:
            said.append(
                f"left out: {count_images(self.like_labelled)} nearly the same as a labelled image"
            )
        if len(self.images) < self.wanted:
            said.append(f"fewer than the {self.wanted} asked for: there are no others to choose")
        if self.savings:
            said.append(self.savings.sentence())
        return said + [self.warning] * bool(self.warning)

    def table(self) -> pd.DataFrame:
        """Return one row per image, with a column `p_<class>` for each class."""
        rows = []
        for image in self.images:
            row = image.to_dict()
            shares = row.pop("probabilities")
            row["copies"] = "|".join(row["copies"])
            rows.append(row | {f"p_{name}": share for name, share in shares.items()})
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `gellib next --json` prints them."""
        return {
            "folder": self.folder,
            "run": self.run,
            "wanted": self.wanted,
            "found": self.found,
            "labelled": self.labelled,
            "like_labelled": self.like_labelled,
            "unreadable": [{"file": file, "error": why} for file, why in self.unreadable],
            "warning": self.warning,
            "savings": asdict(self.savings) if self.savings else None,
            "images": [image.to_dict() for image in self.images],
        }


def count_images(n: int) -> str:
    """Return `1 image`, `2 images`."""
    return f"{n} image{'' if n == 1 else 's'}"
