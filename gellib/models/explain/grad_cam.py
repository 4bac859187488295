"""Grad-CAM (Selvaraju et al. 2017): which regions speak for a class."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from gellib.models.backbones import Backbone, JoinedNetwork, exact_arithmetic
from gellib.models.explain.spatial_layer import ExplainError, last_spatial_layer
from gellib.models.heads import Head


def grad_cam(
    backbone: Backbone, head: Head, images: torch.Tensor, targets: np.ndarray
) -> np.ndarray:
    """Map how much each region of an image speaks for its target class.

    Parameters
    ----------
    backbone, head
        The model.
    images
        (N, 1 or 3, H, W) float, normalised, on the device of the backbone.
    targets
        (N,) class numbers.

    Returns
    -------
    np.ndarray
        Maps (N, h, w), 0..1, of the size of the last layer with maps.

    Raises
    ------
    ExplainError
        When captum is not installed, or no layer has maps.
    """
    try:
        from captum.attr import LayerGradCam
    except ImportError as err:
        raise ExplainError(
            "Grad-CAM needs captum, which is not installed: pip install 'gellib[explain]'"
        ) from err
    layers = explained_layers(backbone, images[:1])
    network = nn.Sequential(backbone, head).eval()
    # Gradients need a start, also where all layers are frozen; nothing is trained here.
    x = images.clone().requires_grad_(True)
    goal = torch.as_tensor(np.asarray(targets), device=images.device)
    with torch.enable_grad(), exact_arithmetic():
        found = [LayerGradCam(network, layer).attribute(x, target=goal) for layer in layers]
    # Each is in units of the class's logit, so that the maps of joined backbones add up.
    size = found[0].shape[2:]
    maps = torch.stack([_resized(one, size) for one in found]).sum(dim=0)
    return _scaled(maps[:, 0].clamp(min=0).detach().cpu().double().numpy())


def _resized(maps: torch.Tensor, size: torch.Size) -> torch.Tensor:
    return (
        maps if maps.shape[2:] == size else nn.functional.interpolate(maps, size, mode="bilinear")
    )


def explained_layers(backbone: Backbone, images: torch.Tensor) -> list[nn.Module]:
    """Return the layer whose maps are drawn, of each network that the backbone joins."""
    if not isinstance(backbone.network, JoinedNetwork):
        return [last_spatial_layer(backbone, images)[1]]
    channels = len(backbone.preprocessing.mean)
    parts = backbone.network.part_inputs(images.expand(-1, channels, -1, -1))
    return [last_spatial_layer(part, part_images)[1] for part, part_images in parts]


def _scaled(maps: np.ndarray) -> np.ndarray:
    top = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, top, out=np.zeros_like(maps), where=top > 0)
