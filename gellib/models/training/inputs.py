"""Inputs of the training loop: cached features, or images that the network computes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.data.image_files import ImageLimits
from gellib.data.images import read_image
from gellib.data.imageset import CV, EXTRA
from gellib.models.backbones import Backbone, Preprocessing, normalise
from gellib.models.features import (
    check_augmentation,
    image_key,
    map_in_threads,
    random_views,
    unaugmented_view,
)

_KEPT_BYTES = 512 << 20  # decoded images that are kept from epoch to epoch
_VALIDATION_BATCH = 256


class RowsOnDisk:
    """Some rows of a memory-mapped array, which are read when they are indexed."""

    def __init__(self, array: np.ndarray, rows: np.ndarray) -> None:
        self.array, self.rows = array, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, positions: np.ndarray | slice) -> np.ndarray:
        return self.array[self.rows[positions]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.array[self.rows].astype(dtype or self.array.dtype, copy=False)


@dataclass
class CachedInputs:
    """Features that are computed once.

    Parameters
    ----------
    train_features
        (views, n_train, dim): those of epoch e are entry (e - 1) modulo `views`. There is one
        without augmentation.
    val_features
        (n_val, dim).
    """

    train_features: np.ndarray | Sequence[RowsOnDisk]
    val_features: np.ndarray | RowsOnDisk

    def train_batch(self, epoch: int, positions: np.ndarray) -> torch.Tensor:
        """Get the features (N, dim) of some training images in an epoch (from 1)."""
        features = self.train_features[(epoch - 1) % len(self.train_features)]
        return torch.from_numpy(features[positions])

    def train_batches(self, epoch: int, batches: Sequence[np.ndarray]) -> Iterator[torch.Tensor]:
        """Yield the inputs of each batch of training images, given by positions, in an epoch."""
        return (self.train_batch(epoch, positions) for positions in batches)

    def val_batches(self) -> Iterator[torch.Tensor]:
        """Yield the inputs of all validation images in order, batch by batch."""
        for start in range(0, len(self.val_features), _VALIDATION_BATCH):
            block = self.val_features[start : start + _VALIDATION_BATCH]
            yield torch.from_numpy(np.array(block))


@dataclass
class OnlineInputs:
    """Images for networks that are trained, augmented in threads while the network computes.

    Parameters
    ----------
    train_paths, train_digests
        Path and sha256 of each training image.
    val_paths
        Path of each validation image.
    preprocessing
        The preprocessing of the backbone.
    limits
        Size of files and images that are refused.
    steps
        The augmentation, as from `check_augmentation`.
    seed
        Seed of the run.
    view_in
        Which random view, as a number, is used in an epoch.
    val_batch
        Number of validation images per batch.
    """

    train_paths: Sequence[str]
    train_digests: Sequence[str]
    val_paths: Sequence[str]
    preprocessing: Preprocessing
    limits: ImageLimits
    steps: list[tuple[str, dict[str, float]]]
    seed: int
    view_in: Callable[[int], int]
    val_batch: int = 16
    _kept: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    _kept_bytes: int = 0

    def train_batches(self, epoch: int, batches: Sequence[np.ndarray]) -> Iterator[torch.Tensor]:
        """Yield the inputs of each batch of training images, given by positions, in an epoch."""

        def work(position: int) -> np.ndarray:
            path = self.train_paths[position]
            if not self.steps:
                return self._plain(path)
            image = self._get_or_make(("image", path), lambda: self._read(path))
            key = image_key(self.train_digests[position])
            return random_views(
                image, self.preprocessing, self.steps, seed=self.seed, key=key, epochs=[view]
            )[0]

        view = self.view_in(epoch)
        order = [int(position) for positions in batches for position in positions]
        views = map_in_threads(work, order, ahead=2 * max(len(positions) for positions in batches))
        for positions in batches:
            pixels = np.stack([next(views) for _ in positions])
            yield normalise(torch.from_numpy(pixels), self.preprocessing)

    def val_batches(self) -> Iterator[torch.Tensor]:
        """Yield the inputs of all validation images in order, batch by batch."""
        views = map_in_threads(self._plain, self.val_paths, ahead=2 * self.val_batch)
        for start in range(0, len(self.val_paths), self.val_batch):
            count = min(self.val_batch, len(self.val_paths) - start)
            pixels = np.stack([next(views) for _ in range(count)])
            yield normalise(torch.from_numpy(pixels), self.preprocessing)

    def _plain(self, path: str) -> np.ndarray:
        # The same in every epoch, so the view is kept instead of the image.
        return self._get_or_make(
            ("plain", path), lambda: unaugmented_view(self._read(path), self.preprocessing)
        )

    def _read(self, path: str) -> np.ndarray:
        return read_image(path, color=self.preprocessing.color, limits=self.limits)

    def _get_or_make(self, key: tuple[str, str], make: Callable[[], np.ndarray]) -> np.ndarray:
        image = self._kept.get(key)
        if image is None:
            image = make()
            if self._kept_bytes + image.nbytes <= _KEPT_BYTES:
                self._kept_bytes += image.nbytes
                self._kept[key] = image
        return image


def make_online_inputs(
    config: RunConfig, imageset: ImageSet, backbone: Backbone, limits: ImageLimits
) -> OnlineInputs:
    """Create the inputs of a network that is trained on the images themselves.

    Parameters
    ----------
    config
        The configuration of the run.
    imageset
        The images, split.
    backbone
        The backbone, for its preprocessing.
    limits
        Size of files and images that are refused.
    """
    rows = split_rows(imageset)
    table = imageset.table
    if (table["digest"] == "").any():
        table = imageset.with_digests().table
    return OnlineInputs(
        train_paths=list(table["path"].iloc[rows["train"]]),
        train_digests=list(table["digest"].iloc[rows["train"]]),
        val_paths=list(table["path"].iloc[rows["val"]]),
        preprocessing=backbone.preprocessing,
        limits=limits,
        steps=check_augmentation(config.augmentation),
        seed=config.seed,
        view_in=config.view_in,
    )


def split_rows(imageset: ImageSet) -> dict[str, np.ndarray]:
    """Return the rows of the training and of the validation images, by `train` and `val`.

    The images of a cross-validation are all trained on in the end, and none validate.

    Raises
    ------
    ValueError
        When there are no training images.
    """
    split = imageset.table["split"].to_numpy()
    rows = {
        "train": np.flatnonzero(np.isin(split, ("train", CV, EXTRA))),
        "val": np.flatnonzero(split == "val"),
    }
    if not len(rows["train"]):
        raise ValueError("no image is in the split 'train'; split the images first")
    return rows
