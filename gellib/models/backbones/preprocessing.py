"""How an image becomes the input of a backbone; stored with the backbone's weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from gellib.data.images import Color
from gellib.models.backbones.sources import BackboneError, find_source

CONTRASTS = ("none", "stretch")
# Stronger than for images deeper than 8 bits, where all grey levels are kept: the purpose here is
# that images look alike whatever their exposure.
STRETCH_PERCENTILES = (1, 99)


@dataclass(frozen=True)
class Preprocessing:
    """Sizes in pixels, and mean and standard deviation per channel for values in 0..1.

    First, contrast `stretch` scales the levels so that the 1st and 99th percentile of the whole
    image become 0 and 255. Then the shorter side is resized to `resize_size`, and the central
    `image_size` x `image_size` is cropped. The backbone takes as many channels as `mean` has, one
    or three; a grey image is repeated for three.
    """

    image_size: int
    resize_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"
    color: Color = "grey"
    crop: str = "center"
    contrast: str = "none"

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values, for JSON."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """Build from the values that `to_dict` returned."""
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})


def preprocessing_for(
    name: str, *, image_size: int, color: str, input_adapter: str, contrast: str = "none"
) -> Preprocessing:
    """Take size, interpolation and normalisation from what the network's weights expect.

    The ratio of resized to cropped size is the same for all image sizes. For an adapter with one
    channel, mean and standard deviation are the averages over the colours.

    Parameters
    ----------
    name
        Name of the network in its source: torchvision's, or `timm/<name>`.
    image_size
        Side of the input in pixels.
    color
        How images are read: `grey` or `rgb`.
    input_adapter
        One of `INPUT_ADAPTERS`; all but `replicate` have one channel.
    contrast
        One of `CONTRASTS`.

    Raises
    ------
    BackboneError
        For an unknown `color` or `contrast`, and for `rgb` with an adapter for grey images.
    """
    if color not in ("grey", "rgb"):
        raise BackboneError(f"color: got {color!r}, expected 'grey' or 'rgb'")
    if contrast not in CONTRASTS:
        raise BackboneError(f"contrast: got {contrast!r}, expected {' or '.join(CONTRASTS)}")
    if input_adapter != "replicate" and color != "grey":
        raise BackboneError(
            f"input_adapter: {input_adapter!r} takes grey images; expected color 'grey', or "
            "input_adapter 'replicate' for rgb"
        )
    facts = find_source(name).input_facts(name)
    resize_size = round(image_size * facts.resize_size / facts.image_size)
    mean, std = facts.mean, facts.std
    if input_adapter != "replicate":
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    return Preprocessing(
        image_size=image_size,
        resize_size=max(resize_size, image_size),
        mean=mean,
        std=std,
        interpolation=facts.interpolation,
        color="grey" if color == "grey" else "rgb",
        contrast=contrast,
    )


def stretch_contrast(image: np.ndarray) -> np.ndarray:
    """Scale uint8 levels linearly so that the 1st and 99th percentile become 0 and 255.

    All channels of a colour image are scaled alike, so that its tint stays the same. An image of
    one level is returned as it is.
    """
    low, high = np.percentile(image, STRETCH_PERCENTILES)
    if high <= low:
        return image
    levels = (np.arange(256) - low) * (255 / (high - low))
    return np.clip(levels + 0.5, 0, 255).astype(np.uint8)[image]


def normalise(images: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Convert uint8 (..., 1 or 3, H, W) to the backbone's input (..., channels, H, W), float32."""
    shape = (-1, 1, 1)
    mean = torch.tensor(preprocessing.mean, device=images.device).reshape(shape)
    std = torch.tensor(preprocessing.std, device=images.device).reshape(shape)
    return (images.float() / 255 - mean) / std
