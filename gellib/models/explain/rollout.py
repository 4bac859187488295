"""Attention roll-out (Abnar and Zuidema 2020): which patches a vision transformer attends to."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.models.vision_transformer import EncoderBlock

from gellib.models.backbones import Backbone, exact_arithmetic


def is_vision_transformer(network: nn.Module) -> bool:
    """Whether the network is a plain vision transformer, with a class token."""
    return any(isinstance(layer, EncoderBlock) for layer in network.modules())


def attention_rollout(backbone: Backbone, images: torch.Tensor) -> np.ndarray:
    """Map how much of each patch reaches the class token: (N, h, w), 0..1.

    The attention is multiplied through all layers; the residual connection counts as half of each.
    The map does not depend on the class: it shows what the network attends to, not what speaks for
    the prediction.
    """
    weights: list[torch.Tensor] = []

    def request_weights(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple:
        return args, kwargs | {"need_weights": True, "average_attn_weights": True}

    def keep_weights(module: nn.Module, args: tuple, kwargs: dict[str, Any], output: tuple) -> None:
        weights.append(output[1].detach())

    blocks = [layer for layer in backbone.modules() if isinstance(layer, EncoderBlock)]
    hooks = []
    for block in blocks:
        attention = block.self_attention
        hooks.append(attention.register_forward_pre_hook(request_weights, with_kwargs=True))
        hooks.append(attention.register_forward_hook(keep_weights, with_kwargs=True))
    try:
        with torch.no_grad(), exact_arithmetic():
            backbone(images)
    finally:
        for hook in hooks:
            hook.remove()
    tokens = weights[0].shape[-1]
    reached = torch.eye(tokens, device=images.device).expand(len(images), -1, -1)
    for attention in weights:
        reached = (attention + torch.eye(tokens, device=images.device)) / 2 @ reached
    patches = reached[:, 0, 1:].cpu().double().numpy()
    side = round((tokens - 1) ** 0.5)
    maps = patches.reshape(len(images), side, side)
    low = maps.min(axis=(1, 2), keepdims=True)
    span = maps.max(axis=(1, 2), keepdims=True) - low
    return np.divide(maps - low, span, out=np.zeros_like(maps), where=span > 0)
