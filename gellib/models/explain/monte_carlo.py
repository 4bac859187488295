"""Monte-Carlo dropout: a head asked many times, each time with other units dropped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from gellib.models.backbones import isolated_rng
from gellib.models.heads import Head

SAMPLES = 50
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Uncertainty:
    """Doubt about each image, in nats; `samples` is 0 for a head without dropout.

    `entropy` is that of the mean answer; `mutual_information` is the part of it by which the
    answers differ: doubt about the model, where the rest is doubt about the image. It is None
    without dropout.
    """

    entropy: np.ndarray
    mutual_information: np.ndarray | None
    samples: int


def has_dropout(head: Head) -> bool:
    """Whether a head drops units in training."""
    return any(layer.p > 0 for layer in _dropouts(head))


def uncertainty(
    head: Head,
    features: np.ndarray,
    *,
    temperature: float = 1.0,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Uncertainty:
    """Measure the doubt about images by their features (n, dim); the head stays as it is."""
    samples = samples if has_dropout(head) else 0
    mean, inner = _asked(head, features, temperature, samples, seed)
    doubt = head.task.entropy(mean)
    if not samples:
        return Uncertainty(doubt, None, 0)
    return Uncertainty(doubt, np.maximum(doubt - inner, 0), samples)


def _asked(head, features, temperature, samples, seed):
    """Mean of the answers, and mean of their entropies."""
    device = next(head.parameters()).device
    training = {layer: layer.training for layer in head.modules()}
    mean = np.zeros((len(features), head.n_classes))
    inner = np.zeros(len(features))
    head.eval()
    for layer in _dropouts(head):
        layer.train(samples > 0)
    try:
        with torch.inference_mode(), isolated_rng(seed, "monte carlo dropout", device=device):
            for start in range(0, len(features), _ROWS_AT_ONCE):
                rows = slice(start, start + _ROWS_AT_ONCE)
                x = torch.from_numpy(np.array(features[rows])).to(device)
                for _ in range(max(samples, 1)):
                    p = head.probabilities(head(x).double()).cpu().numpy()
                    p = head.task.apply_temperature(p, temperature)
                    mean[rows] += p / max(samples, 1)
                    inner[rows] += head.task.entropy(p) / max(samples, 1)
    finally:
        for layer, mode in training.items():
            layer.training = mode
    return mean, inner


def _dropouts(head: Head) -> list[nn.Module]:
    kinds = (nn.Dropout, nn.AlphaDropout, nn.FeatureAlphaDropout)
    return [layer for layer in head.modules() if isinstance(layer, kinds)]
