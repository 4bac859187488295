"""How an image becomes the input of a network: part of the network, stored with its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from gellib.data.images import Color
from gellib.models.backbones.architectures import BackboneError, default_weights, input_statistics

CONTRASTS = ("none", "stretch")
# Further in than for deep pixels, whose shades are to be kept: here pictures are to look alike,
# however they were exposed.
_STRETCH_PERCENTILES = (1, 99)


@dataclass(frozen=True)
class Preprocessing:
    """Sizes in pixels, and mean and standard deviation per channel of values in 0..1.

    The shorter side becomes `resize_size`, then the middle `image_size` x `image_size` is cut out.
    Before that, contrast `stretch` makes the 1st and 99th percentile of the whole image 0 and 255.
    The network takes one channel or three, as many as `mean` has; a grey image is repeated for
    three.
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
        """Build from what `to_dict` gave."""
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})


def preprocessing_for(
    name: str, *, image_size: int, color: str, input_adapter: str, contrast: str = "none"
) -> Preprocessing:
    """Take size, interpolation and normalisation from the weights' own transforms.

    The ratio of resized to cut-out size is kept for other image sizes. For an adapter that takes
    one channel, mean and standard deviation are the averages over the colours.
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
    transforms = default_weights(name).transforms()
    resize_size = round(image_size * transforms.resize_size[0] / transforms.crop_size[0])
    mean, std = input_statistics(name)
    if input_adapter != "replicate":
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    return Preprocessing(
        image_size=image_size,
        resize_size=max(resize_size, image_size),
        mean=mean,
        std=std,
        interpolation=str(transforms.interpolation.value),
        color="grey" if color == "grey" else "rgb",
        contrast=contrast,
    )


def stretch_contrast(image: np.ndarray) -> np.ndarray:
    """Scale uint8 levels linearly so that the 1st and 99th percentile become 0 and 255.

    The channels of a colour image are scaled alike, so that no tint comes in. An even image stays.
    """
    low, high = np.percentile(image, _STRETCH_PERCENTILES)
    if high <= low:
        return image
    levels = (np.arange(256) - low) * (255 / (high - low))
    return np.clip(levels + 0.5, 0, 255).astype(np.uint8)[image]


def normalise(images: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Turn uint8 (..., 1 or 3, H, W) into the float input of the network (..., channels, H, W)."""
    shape = (-1, 1, 1)
    mean = torch.tensor(preprocessing.mean, device=images.device).reshape(shape)
    std = torch.tensor(preprocessing.std, device=images.device).reshape(shape)
    return (images.float() / 255 - mean) / std
