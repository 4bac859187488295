"""Cache for the features of images: computed once by a frozen backbone, and kept on disk."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gellib.data import ImageSet
from gellib.data.image_files import ImageLimits
from gellib.models.backbones import Backbone, resolve_precision
from gellib.models.features.augmentation import check_augmentation
from gellib.models.features.cache import cache_key, cached_array, delete_entries
from gellib.models.features.extraction import unaugmented_views
from gellib.models.features.fill import fill_augmented, fill_unaugmented, join_shards
from gellib.models.features.identity import (
    FEATURES_VERSION,
    ensure_digests,
    feature_facts,
    library_versions,
)
from gellib.models.features.image_bars import Bar, ShowProgress, progress_bar
from gellib.models.features.image_statistics import N_STATISTICS, view_statistics

SHARD_IMAGES = 4096


@dataclass
class FeatureStore:
    """Cache of features, under all that they depend on: `identity.py` says what that is.

    Its files can be deleted at any time and shared by several processes. Features of more than
    `shard` images are computed in shards, each in a file of its own until all are complete: an
    interrupted process loses at most one shard, and several machines can share the work. The
    features are the same as without shards if `shard` is a multiple of the batch size.

    Parameters
    ----------
    cache_dir
        Folder of the files.
    limits
        Size of files and images that are refused.
    shard
        Number of images per shard.

    Attributes
    ----------
    seconds
        Time that computing all requested features takes, whether this process computed them or
        read them from the cache.
    files
        Names of the files that contain them.
    """

    cache_dir: Path
    limits: ImageLimits = field(default_factory=ImageLimits)
    shard: int = SHARD_IMAGES
    seconds: float = field(default=0.0, init=False)
    files: list[str] = field(default_factory=list, init=False)
    _joined: list[str] = field(default_factory=list, init=False, repr=False)

    def unaugmented(
        self,
        imageset: ImageSet,
        backbone: Backbone,
        *,
        precision: str = "auto",
        device: torch.device | str = "cpu",
        batch_size: int | None = None,
        progress: ShowProgress = False,
    ) -> np.ndarray:
        """Get the features of all images without augmentation.

        Parameters
        ----------
        imageset
            The n images.
        backbone
            The backbone.
        precision
            `fp32`, `bf16`, `fp16`, or `auto`.
        device
            Where to compute.
        batch_size
            Views per batch; None: `default_batch_size`.
        progress
            Whether to show a progress bar, or one to advance; as for `progress_bar`.

        Returns
        -------
        np.ndarray
            Features (n, dim), float32, in the order of the table; read-only.
        """
        images = ensure_digests(imageset)
        precision = resolve_precision(precision, device)
        facts = feature_facts(backbone, images.table["digest"], precision, device) | {
            "view": "plain"
        }
        title = f"{backbone.name} features"
        options: dict[str, Any] = {
            "precision": precision,
            "device": device,
            "batch_size": batch_size,
        }

        def compute(out: np.ndarray) -> float | None:
            with progress_bar(progress, len(images), title) as bar:
                same = options | {"progress": bar}
                if len(images) > self.shard:
                    return self._join(
                        out, bar, lambda s, rows: s.unaugmented(images.take(rows), backbone, **same)
                    )
                fill_unaugmented(out, images, backbone, self.limits, **same)
                return None

        return self.cached(facts, (len(images), backbone.dim), compute, title)

    def statistics(
        self, imageset: ImageSet, rows: Sequence[int] | np.ndarray, backbone: Backbone
    ) -> np.ndarray:
        """Get `view_statistics` of the unaugmented views of some rows: (len(rows), N) float32."""
        table = ensure_digests(imageset).table.iloc[list(rows)]
        facts = {
            "version": FEATURES_VERSION,
            "libraries": library_versions(),
            "images": list(table["digest"]),
            "preprocessing": backbone.preprocessing.to_dict(),
            "view": "statistics",
        }

        def compute(out: np.ndarray) -> None:
            views = unaugmented_views(list(table["path"]), backbone.preprocessing, self.limits)
            for row, view in zip(out, views, strict=True):
                row[:] = view_statistics(view[0])

        # Not counted in `files` and `seconds`: training does not need them.
        folder, shape = Path(self.cache_dir), (len(table), N_STATISTICS)
        return cached_array(folder, facts, shape, compute, title="statistics")[0]

    def augmented(
        self,
        imageset: ImageSet,
        rows: Sequence[int] | np.ndarray,
        backbone: Backbone,
        *,
        augmentation: str,
        seed: int,
        epochs: int,
        precision: str = "auto",
        device: torch.device | str = "cpu",
        batch_size: int | None = None,
        progress: ShowProgress = False,
    ) -> np.ndarray:
        """Get the features of one random view per image and epoch.

        Parameters
        ----------
        imageset, rows
            The images, and which of them, as rows of the table.
        backbone
            The backbone.
        augmentation
            The random steps, as for `check_augmentation`.
        seed
            Seed of the run.
        epochs
            Number of epochs.
        precision, device, batch_size, progress
            As for `unaugmented`.

        Returns
        -------
        np.ndarray
            Features (epochs, len(rows), dim), float32, read-only. Epochs count from 1: entry `e`
            belongs to the view that `augment` makes for epoch `e + 1`.
        """
        images = ensure_digests(imageset).take(rows)
        precision = resolve_precision(precision, device)
        view = {"steps": check_augmentation(augmentation), "seed": seed, "epochs": epochs}
        facts = feature_facts(backbone, images.table["digest"], precision, device) | {"view": view}
        title = f"{backbone.name} features, {epochs} views each"
        options: dict[str, Any] = {"precision": precision, "device": device}
        options |= {"batch_size": batch_size, "augmentation": augmentation, "seed": seed}

        def compute(out: np.ndarray) -> float | None:
            total = epochs * len(images)
            with progress_bar(progress, total, title, unit="views") as bar:
                same = options | {"progress": bar}
                if len(images) > self.shard:
                    same["epochs"] = epochs
                    return self._join(
                        out, bar, lambda s, rows: s.augmented(images, rows, backbone, **same)
                    )
                fill_augmented(out, images, backbone, self.limits, **same)
                return None

        return self.cached(facts, (epochs, len(images), backbone.dim), compute, title)

    def cached(
        self,
        facts: dict[str, Any],
        shape: tuple[int, ...],
        compute: Callable[[np.ndarray], float | None],
        title: str,
    ) -> np.ndarray:
        """Get an array by its facts, and count its file and its seconds.

        Parameters
        ----------
        facts, shape, compute, title
            As for `cached_array`.
        """
        array, seconds = cached_array(Path(self.cache_dir), facts, shape, compute, title=title)
        delete_entries(Path(self.cache_dir), self._joined)
        self._joined.clear()
        self.seconds += seconds
        self.files.append(f"{cache_key(facts)}.npy")
        return array

    def _join(
        self, out: np.ndarray, bar: Bar, features_of: Callable[[FeatureStore, range], np.ndarray]
    ) -> float:
        """Fill an array from shards, using a store without shards; return the seconds they took."""
        store = replace(self, shard=sys.maxsize)
        join_shards(out, self.shard, lambda rows: features_of(store, rows), bar)
        self._joined += store.files
        return store.seconds
