"""Explanation maps, by the method that suits the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gellib.models.backbones import Backbone, normalise
from gellib.models.compute import ON_CPU, Compute
from gellib.models.explain.grad_cam import grad_cam
from gellib.models.explain.rollout import attention_rollout, is_vision_transformer
from gellib.models.heads import Head

_AT_ONCE = 4


@dataclass(frozen=True)
class Explanation:
    """Maps (N, h, w), 0..1, of views (N, 1 or 3, H, W) uint8, and the name of their `method`."""

    views: np.ndarray
    maps: np.ndarray
    method: str


def explain_views(
    backbone: Backbone,
    head: Head,
    views: np.ndarray,
    targets: Sequence[int] | np.ndarray,
    compute: Compute = ON_CPU,
) -> Explanation:
    """Map how much each region of a view speaks for its target class.

    The method is attention roll-out for vision transformers, and Grad-CAM for all other networks.

    Parameters
    ----------
    backbone, head
        The model, which is moved to the device and stays there.
    views
        (N, 1 or 3, H, W) uint8.
    targets
        (N,) class numbers.
    compute
        How to compute. With the precision `bf16`, layers compute in mixed precision, which takes
        half the time; any other means fp32.

    Raises
    ------
    ExplainError
        As for `grad_cam`.
    """
    device = compute.device
    backbone, head = backbone.to(device), head.to(device)
    rollout, maps = is_vision_transformer(backbone.network), []
    for start in range(0, len(views), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        pixels = torch.from_numpy(np.ascontiguousarray(views[part])).to(device)
        x = normalise(pixels, backbone.preprocessing)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=compute.precision == "bf16"):
            maps.append(
                attention_rollout(backbone, x)
                if rollout
                else grad_cam(backbone, head, x, np.asarray(targets)[part])
            )
    method = "attention roll-out" if rollout else "Grad-CAM"
    return Explanation(views, np.concatenate(maps), method)
