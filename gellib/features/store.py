"""Features of a set of images through a frozen backbone, computed once and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from gellib.backbones import (
    Backbone,
    calibrate_batchnorm,
    exact_arithmetic,
    normalise,
    resolve_precision,
)
from gellib.datasets import ImageSet
from gellib.features.augmentation import check_augmentation
from gellib.features.cache import cache_key, cached_array
from gellib.features.extraction import (
    augmented_views,
    default_batch_size,
    extract_stream,
    plain_views,
    rebatch,
)
from gellib.features.statistics import N_STATISTICS, view_statistics
from gellib.images import ImageLimits

# Raised whenever the same inputs give other features than before, so that old files do not count.
_VERSION = 2
CALIBRATION_IMAGES = 1024
_CALIBRATION_BATCH = 32


@dataclass
class FeatureStore:
    """Features by content: image bytes, backbone, weights, preprocessing, precision and views.

    Files lie in `cache_dir`, may be deleted at any time, and can be used by several processes.
    `seconds` is what computing all that was asked for takes, also where another run has done it;
    `files` are the names of the files that hold it.
    """

    cache_dir: Path
    limits: ImageLimits = field(default_factory=ImageLimits)
    seconds: float = field(default=0.0, init=False)
    files: list[str] = field(default_factory=list, init=False)

    def plain(
        self,
        imageset: ImageSet,
        backbone: Backbone,
        *,
        precision: str = "auto",
        device: torch.device | str = "cpu",
        batch_size: int | None = None,
        progress: bool = False,
    ) -> np.ndarray:
        """Get the features of all images as they are, in order of the table: (n, dim) float32."""
        table = _with_digests(imageset).table
        paths = list(table["path"])
        precision = resolve_precision(precision, device)
        facts = self._facts(backbone, table["digest"], precision, device) | {"view": "plain"}
        what = f"{backbone.name} features"

        def compute(out: np.ndarray) -> None:
            views = plain_views(paths, backbone.preprocessing, self.limits)
            options: dict[str, Any] = {"precision": precision, "device": device}
            options |= {"batch_size": batch_size, "total": len(paths), "progress": progress}
            done = 0
            for features in extract_stream(views, backbone, what=what, **options):
                out[done : done + len(features)] = features
                done += len(features)

        return self._cached(facts, (len(paths), backbone.dim), compute, what)

    def statistics(self, imageset: ImageSet, rows: Sequence[int], backbone: Backbone) -> np.ndarray:
        """Get `view_statistics` of the plain views of some rows: (len(rows), N) float32."""
        table = _with_digests(imageset).table.iloc[list(rows)]
        facts = {
            "version": _VERSION,
            "images": list(table["digest"]),
            "preprocessing": backbone.preprocessing.to_dict(),
            "view": "statistics",
        }

        def compute(out: np.ndarray) -> None:
            views = plain_views(list(table["path"]), backbone.preprocessing, self.limits)
            for row, view in zip(out, views, strict=True):
                row[:] = view_statistics(view[0])

        # Not of the features' files or time: training does without.
        shape = (len(table), N_STATISTICS)
        return cached_array(Path(self.cache_dir), facts, shape, compute, what="statistics")[0]

    def views(
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
        progress: bool = False,
    ) -> np.ndarray:
        """Get the features of random views of some rows: (epochs, len(rows), dim) float32.

        Epochs count from 1: entry `e` holds what `augment` draws for epoch `e + 1`.
        """
        table = _with_digests(imageset).table.iloc[list(rows)]
        paths, digests = list(table["path"]), list(table["digest"])
        steps = check_augmentation(augmentation)
        precision = resolve_precision(precision, device)
        view = {"steps": steps, "seed": seed, "epochs": epochs}
        facts = self._facts(backbone, digests, precision, device) | {"view": view}
        what = f"{backbone.name} features, {epochs} views each"

        def compute(out: np.ndarray) -> None:
            where: list[tuple[int, int]] = []

            def blocks():
                for i, part, block in augmented_views(
                    paths,
                    digests,
                    backbone.preprocessing,
                    self.limits,
                    steps=steps,
                    seed=seed,
                    epochs=range(1, epochs + 1),
                ):
                    where.extend((epoch - 1, i) for epoch in part)
                    yield block

            options: dict[str, Any] = {"precision": precision, "device": device}
            options |= {"batch_size": batch_size, "progress": progress}
            total = epochs * len(paths)
            for features in extract_stream(blocks(), backbone, total=total, what=what, **options):
                indices = np.array(where[: len(features)])
                out[indices[:, 0], indices[:, 1]] = features
                del where[: len(features)]

        shape = (epochs, len(paths), backbone.dim)
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
            done = 0
            views = plain_views(paths, backbone.preprocessing, self.limits)
            bar = tqdm(total=len(paths), unit="img", desc=what, disable=not progress, leave=False)
            with bar, torch.inference_mode(), exact_arithmetic():
                for pixels in rebatch(views, default_batch_size(device)):
                    images = torch.from_numpy(pixels).to(device)
                    values = front(normalise(images, backbone.preprocessing))
                    out[done : done + len(pixels)] = values.cpu().numpy()
                    done += len(pixels)
                    bar.update(len(pixels))

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
            views = plain_views(list(table["path"]), backbone.preprocessing, self.limits)
            calibrate_batchnorm(backbone, _even_batches(views, len(table), backbone))
            out[:] = torch.cat(buffers).numpy()

        shape = (sum(len(buffer) for buffer in buffers),)
        what = f"{backbone.name} batch norm statistics"
        values = self._cached(facts, shape, compute, what)
        parts = torch.from_numpy(np.array(values)).split([len(buffer) for buffer in buffers])
        for buffer, part in zip(buffers, parts, strict=True):
            buffer.copy_(part)
        backbone.calibrated = True

    def _cached(
        self,
        facts: dict[str, Any],
        shape: tuple[int, ...],
        compute: Callable[[np.ndarray], None],
        what: str,
    ) -> np.ndarray:
        array, seconds = cached_array(Path(self.cache_dir), facts, shape, compute, what=what)
        self.seconds += seconds
        self.files.append(f"{cache_key(facts)}.npy")
        return array

    def _facts(
        self,
        backbone: Backbone,
        digests: Sequence[str],
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
