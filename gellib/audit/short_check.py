"""The check's short verdict for a sweep: what tells the classes apart without the subject."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gellib.audit.check import check_images
from gellib.audit.shortcuts import REMOVED
from gellib.data import load_imageset
from gellib.data.image_files import ImageLimits
from gellib.data.imageset import limit_images

# A sample of this many images takes seconds, and shows what a network would learn at once.
MOST_CHECKED = 300


def short_check(
    dataset_dir: str | Path,
    test_dir: str | Path = "",
    limits: ImageLimits | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Look for shortcuts in about 300 images at most of a set; return plain values.

    `images` is how many were looked at, `shortcuts` what was found, the best first: its name in
    words (`label`), `auc`, `p`, which class has what (`classes`), and whether reading images as
    grey removes it (`removed_by_grey`).

    Parameters
    ----------
    dataset_dir, test_dir
        Folder of the images, and that of separate test images, or empty.
    limits
        Larger images are not read.
    seed
        Seed of folds and permutations.

    Raises
    ------
    DatasetError
        When the folder is not a data set.
    """
    images = limit_images(load_imageset(dataset_dir, test_dir=test_dir), MOST_CHECKED)
    report = check_images(images.with_digests(), limits=limits, seed=seed)
    return {
        "images": len(images),
        "shortcuts": [
            {
                "name": found.name,
                "label": found.label,
                "auc": found.auc,
                "p": found.p,
                "classes": found.classes,
                "removed_by_grey": found.name in REMOVED,
            }
            for found in report.shortcuts
            if found.high and found.name != "together"
        ],
    }
