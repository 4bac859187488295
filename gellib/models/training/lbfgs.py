"""The regularised optimum of logistic regression itself, instead of epochs towards it."""

from __future__ import annotations

import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import nn

from gellib.config import RunConfig
from gellib.models.heads import Head
from gellib.models.training.epoch_scores import score
from gellib.models.training.fit import Log
from gellib.models.training.inputs import CachedInputs
from gellib.models.training.objective import objective_of

MAX_ITERATIONS = 2000
_LEAST_DEVIATION = 0.01  # of the largest


def fit_lbfgs(
    config: RunConfig,
    head: Head,
    inputs: CachedInputs,
    train_targets: np.ndarray,
    val_targets: np.ndarray,
    classes: tuple[str, ...],
) -> Log:
    """Put a `single` head at the optimum for the plain views; the log has one row.

    The loss is the sum of the cross entropies times `lbfgs_c`, plus half the squared weights; of
    several labels each has a regression of its own. Features count in units of their standard
    deviation, so that `lbfgs_c` means the same for every network, however large its features are;
    mean and deviation are worked into the layer.
    """
    started = time.perf_counter()
    features = np.asarray(inputs.train_features[0], dtype=np.float64)
    mean, deviation = features.mean(0), features.std(0)
    # A feature that hardly varies here would be blown up where it does.
    deviation = np.maximum(deviation, max(_LEAST_DEVIATION * deviation.max(), 1e-12))
    x = (features - mean) / deviation
    with threadpool_limits(1):  # their number must not change the result
        if head.task.exclusive:
            weights, biases = _exclusive(config, x, train_targets, len(classes))
        else:
            parts = [_binary(config, x, column) for column in train_targets.T]
            weights = np.stack([weight for weight, _ in parts])
            biases = np.array([bias for _, bias in parts])
    weights = weights / deviation
    biases = biases - weights @ mean
    linear = next(layer for layer in head if isinstance(layer, nn.Linear))
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weights))
        linear.bias.copy_(torch.from_numpy(biases))
        head.eval()
        device = linear.weight.device
        logits = head(torch.from_numpy(np.array(inputs.train_features[0])).to(device)).cpu()
        batches = [head(batch.to(device)).cpu() for batch in inputs.val_batches()]
    objective = objective_of(train_targets)()
    val_logits = torch.cat([torch.empty(0, len(classes)), *batches])
    log = Log(best_epoch=1)
    log.add_epoch(
        1,
        score(objective, logits, torch.from_numpy(train_targets)),
        score(objective, val_logits, torch.from_numpy(val_targets)),
        classes,
        learning_rate=float("nan"),
        seconds=time.perf_counter() - started,
    )
    return log


def _regression(config: RunConfig) -> LogisticRegression:
    weigh = "balanced" if config.imbalance == "class_weights" else None
    return LogisticRegression(C=config.lbfgs_c, class_weight=weigh, max_iter=MAX_ITERATIONS)


def _exclusive(
    config: RunConfig, x: np.ndarray, targets: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    found = _regression(config).fit(x, targets)
    weights, biases = found.coef_, found.intercept_
    if len(found.classes_) == 2:  # one score for the second class: half of it for and against
        weights = np.concatenate([-weights, weights]) / 2
        biases = np.concatenate([-biases, biases]) / 2
    # A class without training images is never the answer.
    all_weights = np.zeros((n_classes, x.shape[1]))
    all_biases = np.full(n_classes, -100.0)
    all_weights[found.classes_], all_biases[found.classes_] = weights, biases
    return all_weights, all_biases


def _binary(config: RunConfig, x: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, float]:
    if targets.min() == targets.max():  # nothing to tell apart: the share alone, pulled to a half
        share = (targets.sum() + 0.5) / (len(targets) + 1)
        return np.zeros(x.shape[1]), float(np.log(share / (1 - share)))
    found = _regression(config).fit(x, targets.astype(int))
    return found.coef_[0], float(found.intercept_[0])
