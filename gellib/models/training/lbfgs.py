"""Logistic regression: the optimum of a linear head, computed by L-BFGS instead of epochs."""

from __future__ import annotations

import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import nn

from gellib.config import RunConfig
from gellib.evaluation import task_of_targets
from gellib.models.heads import Head
from gellib.models.training.epoch_scores import EpochScores, score_epoch
from gellib.models.training.inputs import CachedInputs
from gellib.models.training.objective import objective_of
from gellib.models.training.training_log import Log

MAX_ITERATIONS = 2000
_LEAST_DEVIATION = 0.01  # of the largest


def fit_lbfgs(
    config: RunConfig,
    head: Head,
    inputs: CachedInputs,
    train_targets: np.ndarray,
    val_targets: np.ndarray,
    classes: tuple[str, ...],
    known_val: EpochScores | None = None,
) -> Log:
    """Set a `single` head to the optimum for unaugmented views; the log has one row.

    The loss is the sum of the cross entropies times `lbfgs_c`, plus half the squared weights; with
    several labels per image, each label has a regression of its own. Features are standardised, so
    that `lbfgs_c` means the same for every backbone; mean and deviation become part of the layer.

    Parameters
    ----------
    config
        The configuration of the run.
    head
        The head, which is changed in place.
    inputs
        Features of the training and of the validation images.
    train_targets, val_targets
        Their targets, as from `encode_labels`.
    classes
        Names of the classes.
    known_val
        Validation scores that are known already, such as those of a cross-validation.
    """
    started = time.perf_counter()
    features = np.asarray(inputs.train_features[0], dtype=np.float64)
    weights, biases = solve(config, features, train_targets, len(classes))
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
        score_epoch(objective, logits, torch.from_numpy(train_targets)),
        known_val or score_epoch(objective, val_logits, torch.from_numpy(val_targets)),
        classes,
        learning_rate=float("nan"),
        seconds=time.perf_counter() - started,
    )
    return log


def solve(
    config: RunConfig, features: np.ndarray, targets: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compute weights (classes, dim) and biases (classes,) of the optimum.

    Parameters
    ----------
    config
        The configuration of the run.
    features
        (n, dim) float64.
    targets
        (n,) class numbers, or (n, classes) of 0 and 1.
    n_classes
        Number of classes.
    """
    mean, deviation = features.mean(0), features.std(0)
    # A feature that hardly varies here must not dominate on images where it does vary.
    deviation = np.maximum(deviation, max(_LEAST_DEVIATION * deviation.max(), 1e-12))
    x = (features - mean) / deviation
    with threadpool_limits(1):  # the result must not depend on the number of threads
        if task_of_targets(targets).exclusive:
            weights, biases = _exclusive(config, x, targets, n_classes)
        else:
            parts = [_binary(config, x, column) for column in targets.T]
            weights = np.stack([weight for weight, _ in parts])
            biases = np.array([bias for _, bias in parts])
    weights = weights / deviation
    return weights, biases - weights @ mean


def _regression(config: RunConfig) -> LogisticRegression:
    weigh = "balanced" if config.imbalance == "class_weights" else None
    return LogisticRegression(C=config.lbfgs_c, class_weight=weigh, max_iter=MAX_ITERATIONS)


def _exclusive(
    config: RunConfig, x: np.ndarray, targets: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    found = _regression(config).fit(x, targets)
    weights, biases = found.coef_, found.intercept_
    if len(found.classes_) == 2:  # there is one score, for the second class and against the first
        weights = np.concatenate([-weights, weights]) / 2
        biases = np.concatenate([-biases, biases]) / 2
    # A class without training images is never predicted.
    all_weights = np.zeros((n_classes, x.shape[1]))
    all_biases = np.full(n_classes, -100.0)
    all_weights[found.classes_], all_biases[found.classes_] = weights, biases
    return all_weights, all_biases


def _binary(config: RunConfig, x: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, float]:
    if targets.min() == targets.max():  # one class only: predict its share, shrunk towards one half
        share = (targets.sum() + 0.5) / (len(targets) + 1)
        return np.zeros(x.shape[1]), float(np.log(share / (1 - share)))
    found = _regression(config).fit(x, targets.astype(int))
    return found.coef_[0], float(found.intercept_[0])
