"""Which images make the batches of an epoch."""

from __future__ import annotations

import numpy as np
import torch

from gellib.evaluation import task_of_targets
from gellib.models.backbones import derive_seed
from gellib.models.training.objective import count_targets


def sampling_weights(targets: np.ndarray, n_classes: int) -> np.ndarray:
    """Weigh images so that all classes are drawn alike; an image counts by its rarest label."""
    inverse = 1 / count_targets(targets, n_classes)
    rarest = (task_of_targets(targets).memberships(targets, n_classes) * inverse).max(1)
    # An image without any label is drawn as one of the commonest is.
    return np.where(rarest > 0, rarest, inverse.min())


def draw_order(count: int, seed: int, epoch: int, weights: np.ndarray | None) -> np.ndarray:
    """Draw the images of an epoch: all of them once, or by weight and with replacement.

    Parameters
    ----------
    count
        Number of images.
    seed
        Seed of the run.
    epoch
        Number of the epoch; each has an order of its own.
    weights
        (count,) probabilities of being drawn, up to a factor; None: each image once.
    """
    name = "order" if weights is None else "sampler"
    generator = torch.Generator().manual_seed(derive_seed(seed, name, epoch))
    if weights is None:
        return torch.randperm(count, generator=generator).numpy()
    chances = torch.from_numpy(weights).double()
    return torch.multinomial(chances, count, replacement=True, generator=generator).numpy()


def cut_batches(order: np.ndarray, size: int, *, pairs: bool = False) -> list[np.ndarray]:
    """Cut an order into batches; with `pairs`, a last image alone joins the batch before it.

    Batch normalisation cannot compute the spread of one image.
    """
    starts = list(range(0, len(order), size))
    if pairs and len(starts) > 1 and len(order) - starts[-1] == 1:
        starts.pop()
    return np.split(order, starts[1:])
