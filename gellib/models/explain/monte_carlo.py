"""Monte Carlo dropout: many predictions of a head, each with other units dropped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from gellib.models.backbones import isolated_rng
from gellib.models.heads import Head

SAMPLES = 50
_ROWS_AT_ONCE = 1024
_Dropout = nn.Dropout | nn.AlphaDropout | nn.FeatureAlphaDropout


@dataclass(frozen=True)
class Uncertainty:
    """Uncertainty of the prediction for each image.

    Attributes
    ----------
    entropy
        (n,) entropy of the mean prediction, in nats.
    mutual_information
        (n,) the part of the entropy that is uncertainty about the model, in nats: how much the
        predictions differ. The rest is uncertainty about the image. None without dropout.
    samples
        Number of predictions per image; 0 for a head without dropout.
    """

    entropy: np.ndarray
    mutual_information: np.ndarray | None
    samples: int


def has_dropout(head: Head) -> bool:
    """Whether a head has dropout."""
    return any(layer.p > 0 for layer in _dropouts(head))


def uncertainty(
    head: Head,
    features: np.ndarray,
    *,
    temperature: float = 1.0,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Uncertainty:
    """Measure the uncertainty of predictions; the head is left as it was.

    Parameters
    ----------
    head
        The head.
    features
        (n, dim) features of the images.
    temperature
        Temperature that calibrates the probabilities.
    samples
        Number of predictions per image; ignored for a head without dropout.
    seed
        Seed of the run.
    """
    samples = samples if has_dropout(head) else 0
    mean, inner = _mean_prediction(head, features, temperature, samples, seed)
    total = head.task.entropy(mean)
    if not samples:
        return Uncertainty(total, None, 0)
    return Uncertainty(total, np.maximum(total - inner, 0), samples)


def _mean_prediction(
    head: Head, features: np.ndarray, temperature: float, samples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (n, classes) of the predictions, and mean (n,) of their entropies."""
    device = next(head.parameters()).device
    training = {module: module.training for module in head.modules()}
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
        for module, mode in training.items():
            module.training = mode
    return mean, inner


def _dropouts(head: Head) -> list[_Dropout]:
    kinds = (nn.Dropout, nn.AlphaDropout, nn.FeatureAlphaDropout)
    return [layer for layer in head.modules() if isinstance(layer, kinds)]
