"""The optimum of logistic regression in a head: it is the optimum, and it is a head."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gellib.config import ConfigError, RunConfig
from gellib.models.heads import build_head
from gellib.models.training.inputs import CachedInputs
from gellib.models.training.lbfgs import fit_lbfgs

CLASSES = ("a", "b", "c")


def fitted(targets, *, task="single_label", c=0.5, scale=1.0, shift=0.0, **changes):
    rng = np.random.default_rng(0)
    n_classes = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    x = rng.normal(size=(len(targets), 6))
    x[:, 0] += targets[:, 0] if targets.ndim == 2 else targets
    x = (x * scale + shift).astype(np.float32)
    settings = RunConfig(opt_alg="lbfgs", lbfgs_c=c, **changes)
    head = build_head("single", 6, n_classes, task=task, seed=0)
    inputs = CachedInputs(x[None, :80], x[80:])
    log = fit_lbfgs(settings, head, inputs, targets[:80], targets[80:], CLASSES[:n_classes])
    with torch.no_grad():
        return x, head.probabilities(head(torch.from_numpy(x))).numpy(), log, head


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_those_of_the_regression(n_classes):
    targets = np.random.default_rng(1).integers(0, n_classes, 100)
    x, probabilities, log, _ = fitted(targets)
    regression = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=2000))
    regression.fit(x[:80], targets[:80])
    np.testing.assert_allclose(probabilities, regression.predict_proba(x), atol=1e-3)
    row = log.history().iloc[0]
    assert len(log.history()) == log.best_epoch == 1
    assert row["val_accuracy"] == (probabilities[80:].argmax(1) == targets[80:]).mean()
    assert log.learning_rates().empty


def test_it_is_the_optimum_of_the_regularised_loss():
    targets = np.random.default_rng(1).integers(0, 3, 100)
    x, _, _, head = fitted(targets, c=0.1)
    x, y = torch.from_numpy(x[:80]), torch.from_numpy(targets[:80])
    loss = 0.1 * torch.nn.functional.cross_entropy(head(x), y, reduction="sum")
    scaled = head[0].weight * x.std(0, correction=0)
    (loss + scaled.square().sum() / 2).backward()
    assert head[0].weight.grad.abs().max() < 2e-3
    assert head[0].bias.grad.abs().max() < 2e-3
    start = build_head("single", 6, 3, seed=0)
    (0.1 * torch.nn.functional.cross_entropy(start(x), y, reduction="sum")).backward()
    assert start[0].weight.grad.abs().max() > 0.5


def test_the_scale_of_the_features_does_not_matter():
    targets = np.random.default_rng(1).integers(0, 2, 100)
    _, near, _, _ = fitted(targets)
    _, far, _, _ = fitted(targets, scale=np.array([1e-3, 1, 50, 1, 1, 1]))
    np.testing.assert_allclose(near[:, 0].mean(), far[:, 0].mean(), atol=0.02)
    same = fitted(targets, scale=np.full(6, 40.0), shift=7)[1]
    np.testing.assert_allclose(near, same, atol=1e-3)


def test_several_labels_have_a_regression_each():
    targets = np.random.default_rng(1).integers(0, 2, (100, 3)).astype(np.float32)
    targets[:, 2] = 1  # nothing to tell apart
    x, probabilities, _, _ = fitted(targets, task="multilabel")
    for label in (0, 1):
        one = make_pipeline(StandardScaler(), LogisticRegression(C=0.5))
        one.fit(x[:80], targets[:80, label])
        np.testing.assert_allclose(probabilities[:, label], one.predict_proba(x)[:, 1], atol=1e-3)
    np.testing.assert_allclose(probabilities[:, 2], 80.5 / 81, atol=1e-6)


def test_a_class_without_training_images_is_never_the_answer():
    targets = np.random.default_rng(1).integers(0, 2, 100)
    targets[85:] = 2
    _, probabilities, _, _ = fitted(targets)
    assert (probabilities[:, 2] < 1e-10).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


def test_rare_classes_may_weigh_more():
    targets = (np.random.default_rng(1).random(100) < 0.1).astype(int)
    _, plain, _, _ = fitted(targets)
    _, weighed, _, _ = fitted(targets, imbalance="class_weights")
    assert weighed[:, 1].mean() > 2 * plain[:, 1].mean()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"classifier_head": "multi"}, "classifier_head: got 'multi' with opt_alg 'lbfgs'"),
        ({"trainable": "all"}, "trainable: got 'all' with opt_alg"),
        ({"imbalance": "sampler"}, "expected 'none' or 'class_weights', or another opt_alg"),
    ],
)
def test_what_it_cannot_do_is_said(setting, words):
    with pytest.raises(ConfigError, match=words):
        RunConfig.check({"opt_alg": "lbfgs", **setting})
