"""Where and how to compute: device, precision, cache of features, progress bars."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gellib.data.image_files import ImageLimits
from gellib.models.features import FeatureStore
from gellib.models.features.image_bars import ShowProgress


@dataclass(frozen=True)
class Compute:
    """How training, prediction and explanation compute.

    Parameters
    ----------
    device
        Where to compute.
    precision
        Arithmetic of frozen backbones: `fp32`, `bf16`, `fp16`, or `auto` for the fastest that the
        device supports well.
    store
        Cache of features; None: features are computed each time.
    progress
        Whether to show progress bars, or what makes those of features; as for `progress_bar`.
    """

    device: torch.device = torch.device("cpu")
    precision: str = "auto"
    store: FeatureStore | None = None
    progress: ShowProgress = False

    @property
    def limits(self) -> ImageLimits:
        """Size of files and images that are refused: the limits of the store, or the defaults."""
        return ImageLimits() if self.store is None else self.store.limits

    @property
    def features(self) -> FeatureStore:
        """The store, for steps that cannot do without one.

        Raises
        ------
        ValueError
            When there is no store.
        """
        if self.store is None:
            raise ValueError("store: got None; training needs a FeatureStore: Compute(store=...)")
        return self.store


ON_CPU = Compute()
