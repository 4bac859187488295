"""Features of a set of images through a frozen backbone, computed once and kept on disk."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from gellib.data import ImageSet
from gellib.data.image_files import ImageLimits
from gellib.models.backbones import (
    Backbone,
    calibrate_batchnorm,
    normalise,
    resolve_precision,
)
from gellib.models.features.augmentation import check_augmentation
from gellib.models.features.cache import cache_key, cached_array, delete_entries
from gellib.models.features.extraction import (
    progress_bar,
    unaugmented_views,
)
from gellib.models.features.fill import (
    fill_activations,
    fill_augmented,
    fill_unaugmented,
    join_shards,
)
from gellib.models.features.image_statistics import N_STATISTICS, view_statistics

# Raised whenever the same inputs give other features than before, so that old files do not count.
_VERSION = 2
CALIBRATION_IMAGES = 1024
_CALIBRATION_BATCH = 32
SHARD_IMAGES = 4096


@dataclass
class FeatureStore:
    """Features by content: image bytes, backbone, weights, preprocessing, precision and views.

    Files lie in `cache_dir`, may be deleted at any time, and can be used by several processes.
    Features of more than `shard` images are computed in shards, each a file of its own until the
    whole is there: whoever is killed has lost one shard, and several machines can share the work.
    A multiple of the batch sizes gives the same features as no shards. `seconds` is what
    computing all that was asked for takes, also where another run has done it; `files` are the
    names of the files that hold it.
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
        progress: bool | tqdm = False,
    ) -> np.ndarray:
        """Get the features of all images as they are, in order of the table: (n, dim) float32."""
        images = _with_digests(imageset)
        precision = resolve_precision(precision, device)
        facts = self._facts(backbone, images.table["digest"], precision, device)
        facts |= {"view": "plain"}
        what = f"{backbone.name} features"
        options: dict[str, Any] = {"precision": precision, "device": device}
        options |= {"batch_size": batch_size}

        def compute(out: np.ndarray) -> float | None:
            with progress_bar(progress, len(images), what) as bar:
                same = options | {"progress": bar}
                if len(images) <= self.shard:
                    return fill_unaugmented(out, images, backbone, self.limits, **same)
                return self._join(
                    out,
                    bar,
                    lambda store, rows: store.unaugmented(images.take(rows), backbone, **same),
                )

        return self._cached(facts, (len(images), backbone.dim), compute, what)

    def statistics(
        self, imageset: ImageSet, rows: Sequence[int] | np.ndarray, backbone: Backbone
    ) -> np.ndarray:
        """Get `view_statistics` of the plain views of some rows: (len(rows), N) float32."""
        table = _with_digests(imageset).table.iloc[list(rows)]
        facts = {
            "version": _VERSION,
            "images": list(table["digest"]),
            "preprocessing": backbone.preprocessing.to_dict(),
            "view": "statistics",
        }

        def compute(out: np.ndarray) -> None:
            views = unaugmented_views(list(table["path"]), backbone.preprocessing, self.limits)
            for row, view in zip(out, views, strict=True):
                row[:] = view_statistics(view[0])

        # Not of the features' files or time: training does without.
        shape = (len(table), N_STATISTICS)
        return cached_array(Path(self.cache_dir), facts, shape, compute, what="statistics")[0]

    def augmented(
        self,
        imageset: ImageSet,
        rows: Sequence[int],
        backbone: Backbone,
        *,
        augmentation: str,
        seed: int,
        epochs: int,
        precision: str = "auto",
        device: torch.device | str = "cpu",
        batch_size: int | None = None,
        progress: bool | tqdm = False,
    ) -> np.ndarray:
        """Get the features of random views of some rows: (epochs, len(rows), dim) float32.

        Epochs count from 1: entry `e` holds what `augment` draws for epoch `e + 1`.
        """
        images = _with_digests(imageset).take(rows)
        precision = resolve_precision(precision, device)
        drawn = {"steps": check_augmentation(augmentation), "seed": seed, "epochs": epochs}
        facts = self._facts(backbone, images.table["digest"], precision, device)
        facts |= {"view": drawn}
        what = f"{backbone.name} features, {epochs} views each"
        options: dict[str, Any] = {"precision": precision, "device": device}
        options |= {"batch_size": batch_size, "augmentation": augmentation, "seed": seed}

        def compute(out: np.ndarray) -> float | None:
            with progress_bar(progress, epochs * len(images), what) as bar:
                same = options | {"progress": bar}
                if len(images) <= self.shard:
                    return fill_augmented(out, images, backbone, self.limits, **same)
                same["epochs"] = epochs
                return self._join(
                    out, bar, lambda store, rows: store.augmented(images, rows, backbone, **same)
                )

        shape = (epochs, len(images), backbone.dim)
        return self._cached(facts, shape, compute, what)

    def activation_shape(self, backbone: Backbone, front: nn.Module) -> torch.Size:
        """Tell the shape of what the front of a cut backbone makes of an image."""
        prep = backbone.preprocessing
        device = next(backbone.parameters()).device
        image = torch.zeros(1, len(prep.mean), prep.image_size, prep.image_size, device=device)
        with torch.inference_mode():
            return front(image).shape[1:]

    def activations(
        self,
        imageset: ImageSet,
        rows: Sequence[int],
        backbone: Backbone,
        front: nn.Module,
        *,
        before: str,
        device: torch.device | str = "cpu",
        progress: bool = False,
    ) -> np.ndarray:
        """Get what the front of a backbone, cut before a block, gives for some rows, in fp32."""
        table = _with_digests(imageset).table.iloc[list(rows)]
        paths = list(table["path"])
        facts = self._facts(backbone, table["digest"], "fp32", device) | {"view": f"to {before}"}
        what = f"{backbone.name} up to {before}"
        shape = (len(paths), *self.activation_shape(backbone.to(device), front))

        def compute(out: np.ndarray) -> None:
            with progress_bar(progress, len(paths), what) as bar:
                views = unaugmented_views(paths, backbone.preprocessing, self.limits)
                fill_activations(out, views, backbone, front, device, bar)

        return self._cached(facts, shape, compute, what)

    def calibrate(
        self,
        imageset: ImageSet,
        rows: Sequence[int],
        backbone: Backbone,
        *,
        progress: bool = False,
    ) -> None:
        """Set the batch norms of random weights from the plain views of some rows, in fp32.

        At most `CALIBRATION_IMAGES` of them, evenly spread, are used. The statistics are cached.
        """
        every = max(1, -(-len(rows) // CALIBRATION_IMAGES))
        table = _with_digests(imageset).table.iloc[list(rows)[::every]]
        facts = self._facts(backbone, table["digest"], "fp32", "cpu") | {"view": "batch norms"}
        layers = backbone.batch_norms().values()
        buffers = [b for layer in layers for b in (layer.running_mean, layer.running_var)]

        def compute(out: np.ndarray) -> None:
            views = unaugmented_views(list(table["path"]), backbone.preprocessing, self.limits)
            calibrate_batchnorm(backbone, _even_batches(views, len(table), backbone))
            out[:] = torch.cat(buffers).numpy()

        shape = (sum(len(buffer) for buffer in buffers),)
        what = f"{backbone.name} batch norm statistics"
        values = self._cached(facts, shape, compute, what)
        parts = torch.from_numpy(np.array(values)).split([len(buffer) for buffer in buffers])
        for buffer, part in zip(buffers, parts, strict=True):
            buffer.copy_(part)
        backbone.calibrated = True

    def _join(
        self, out: np.ndarray, bar: tqdm, features_of: Callable[[FeatureStore, range], np.ndarray]
    ) -> float:
        """Fill an array from shards, made by a store that makes none; return what they took."""
        store = replace(self, shard=sys.maxsize)
        join_shards(out, self.shard, lambda rows: features_of(store, rows), bar)
        self._joined += store.files
        return store.seconds

    def _cached(
        self,
        facts: dict[str, Any],
        shape: tuple[int, ...],
        compute: Callable[[np.ndarray], float | None],
        what: str,
    ) -> np.ndarray:
        array, seconds = cached_array(Path(self.cache_dir), facts, shape, compute, what=what)
        delete_entries(Path(self.cache_dir), self._joined)
        self._joined.clear()
        self.seconds += seconds
        self.files.append(f"{cache_key(facts)}.npy")
        return array

    def _facts(
        self,
        backbone: Backbone,
        digests: Iterable[str],
        precision: str,
        device: torch.device | str,
    ) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "images": list(digests),
            "backbone": backbone.identity(),
            "precision": precision,
            "device": torch.device(device).type,
        }


def _with_digests(imageset: ImageSet) -> ImageSet:
    return imageset if (imageset.table["digest"] != "").all() else imageset.with_digests()


def _even_batches(views, count: int, backbone: Backbone):
    """Join views into normalised batches of nearly equal size, none of a single image."""
    n_batches = -(-count // _CALIBRATION_BATCH)
    for part in np.array_split(np.arange(count), n_batches):
        pixels = torch.from_numpy(np.concatenate([next(views) for _ in part]))
        yield normalise(pixels, backbone.preprocessing)
