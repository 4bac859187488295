"""Simulated data sets on disk."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from gellib.base.files import atomic_folder
from gellib.labsim.simulate.classes import CLASSES, draw_image

PNG_SHARE = 0.15
LONG_PX = (300, 640)
ASPECTS = (1.0, 4 / 3, 3 / 4, 3 / 2, 1.2, 0.8)


def write_gel(
    out: Path,
    *,
    train: int = 46,
    test: int = 11,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a data set `out/{train,test}/{gel,not_gel}/NNN.(jpg|png)`.

    Both classes have the same sizes, file types and qualities; all files are grey.

    Parameters
    ----------
    out
        A new or empty folder; it appears only when it is complete.
    train, test
        Images per class.
    progress
        Called after each image with the number of images done and the total.

    Raises
    ------
    FileExistsError
        If `out` is not empty.
    ValueError
        If `train` is below 1 or `test` below 0.
    """
    if train < 1 or test < 0:
        raise ValueError(
            f"got train={train}, test={test}: expected at least 1 and 0 images per class"
        )
    names = {
        "gel": [name for name, is_gel in CLASSES.items() if is_gel],
        "not_gel": [name for name, is_gel in CLASSES.items() if not is_gel],
    }
    done = 0
    with new_folder(Path(out)) as folder:
        for number, (label, kinds) in enumerate(names.items()):
            rng = np.random.default_rng([seed, number])
            # Every kind is equally frequent, in a random order that splits them at random.
            rounds = -(-(train + test) // len(kinds))
            order = np.concatenate([rng.permutation(kinds) for _ in range(rounds)])[: train + test]
            order = rng.permutation(order)
            for index, kind in enumerate(order):
                split = "train" if index < train else "test"
                target = folder / split / label
                target.mkdir(parents=True, exist_ok=True)
                number_in_split = index + 1 - train * (split == "test")
                _write_image(target / f"{number_in_split:03d}", str(kind), seed, number, index)
                done += 1
                if progress is not None:
                    progress(done, 2 * (train + test))


def write_gel_split(out: Path, *, n: int = 57, seed: int = 0, progress=None) -> None:
    """Write the gel data set with `n` images per class, a fifth of them for testing.

    Parameters
    ----------
    out
        A new or empty folder.
    n
        Images per class, 5 or more.
    seed
        Seed of all images.
    progress
        Called after each image with the number of images done and the total.

    Raises
    ------
    ValueError
        If `n` is below 5.
    """
    if n < 5:
        raise ValueError(f"n: got {n}, expected 5 or more images per class")
    test = round(n / 5)
    write_gel(out, train=n - test, test=test, seed=seed, progress=progress)


def _write_image(target: Path, kind: str, seed: int, number: int, index: int) -> None:
    """Write one image; its size and file type are drawn independently of its content."""
    rng = np.random.default_rng([seed, number, index])
    long_px, aspect = rng.uniform(*LONG_PX), ASPECTS[rng.integers(len(ASPECTS))]
    width = round(long_px * min(1, aspect))
    height = round(long_px / max(1, aspect))
    is_png, quality = rng.random() < PNG_SHARE, int(rng.integers(45, 93))
    if is_png:
        # Lossless files are large: keep the images small.
        width, height = width * 2 // 3, height * 2 // 3
    image = Image.fromarray(draw_image(kind, rng, width, height))
    if is_png:
        image.save(target.with_suffix(".png"), optimize=True)
    else:
        image.save(target.with_suffix(".jpg"), quality=quality, optimize=True)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `out` if no error occurred.

    Raises
    ------
    FileExistsError
        If `out` is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"got {out}, which is not empty: expected a new or an empty folder; "
            "name another one or remove it first"
        )
    with atomic_folder(out) as folder:
        yield folder
