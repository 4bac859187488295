"""Heads of all folds trained at once: the same as one by one, and as the final one."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gellib.config import RunConfig
from gellib.data.folds import draw_folds, pool_images
from gellib.data.imageset import make_imageset
from gellib.evaluation import MULTILABEL, SINGLE_LABEL
from gellib.models.heads import build_head
from gellib.models.training import stacked_fit
from gellib.models.training.crossval import cross_validate, fit_one_by_one
from gellib.models.training.fold_fits import FoldData, plan_fits
from gellib.models.training.head_stack import can_stack
from gellib.models.training.inputs import CachedInputs

N, DIM = 46, 8
BACKBONE = SimpleNamespace(dim=DIM)


def made(*, multilabel=False, views=True, n=N, repeats=2, groups=False, **changes):
    """Data of a cross-validation on random features, its images and folds."""
    settings = {"num_epochs": 4, "batch_size": 7, "learning_rate": 0.02, "cv_folds": 3}
    config = RunConfig(**(settings | changes))
    rng = np.random.default_rng(0)
    labels = [(i % 2, 2) if i % 3 else (i % 2,) for i in range(n)]
    labels = labels if multilabel else [(0, 1, 2, 0)[i % 4] for i in range(n)]
    rows = [
        {"file": f"{i:03d}", "path": str(i), "label": labels[i], "group": f"g{i // 3}" * groups}
        for i in range(n)
    ]
    task = MULTILABEL if multilabel else SINGLE_LABEL
    images = pool_images(make_imageset(Path("x"), rows, ("a", "b", "c"), task))
    targets = images.targets()
    x = rng.normal(size=(n, DIM))
    x[:, :3] += images.memberships()
    x = x.astype(np.float32)
    of_epochs = x + 0.3 * rng.normal(size=(config.num_epochs if views else 1, n, DIM))
    data = FoldData(
        config,
        CachedInputs(of_epochs.astype(np.float32), x[:0]),
        x,
        np.arange(n),
        targets.astype(np.float32) if multilabel else targets,
        images.classes,
        torch.device("cpu"),
    )
    folds = draw_folds(images, folds=config.cv_folds, repeats=repeats, seed=config.seed)
    return data, images, folds


VARIANTS = [
    {},
    {"views": False},
    {"classifier_head": "multi"},
    {"classifier_head": "dense", "dropout": 0.3},
    {"dropout": 0.4, "opt_alg": "sgd", "nesterov": True},
    {"opt_alg": "adamw", "weight_decay": 0.1},
    {"opt_alg": "sgd", "weight_decay": 0.01, "schedule": "one_cycle"},
    {"schedule": "cosine", "clip_norm": 0.1},
    {"schedule": "step(2)", "clip_value": 0.01, "clip_norm": 0.02},
    {"imbalance": "class_weights"},
    {"imbalance": "class_weights", "label_smoothing": 0.2},
    {"imbalance": "focal", "label_smoothing": 0.1},
    {"imbalance": "sampler"},
    {"patience": 1, "num_epochs": 8},
    {"patience": 2, "num_epochs": 8, "monitor": "max:val_f1", "classifier_head": "multi"},
    {"patience": 2, "num_epochs": 8, "monitor": "train_loss", "learning_rate": 1.0},
    {"groups": True, "batch_size": 5},
    {"batch_size": 100},
    {"batch_size": 1},
]


# A spread sample for the quick tests, all of it for the slow ones.
CASES = [
    pytest.param(
        changes, multilabel, marks=[pytest.mark.slow] * bool((number + 3 * multilabel) % 6)
    )
    for number, changes in enumerate(VARIANTS)
    for multilabel in (False, True)
]


@pytest.mark.parametrize(("changes", "multilabel"), CASES, ids=str)
@pytest.mark.slow
def test_stacked_heads_are_those_trained_one_by_one(changes, multilabel):
    data, images, folds = made(multilabel=multilabel, **changes)
    together, apart = (plan_fits(data, images, folds, 0.25) for _ in range(2))
    stacked_fit.fit_stacked(together, images, BACKBONE)
    fit_one_by_one(apart, images, BACKBONE)
    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one.outcome.logits, other.outcome.logits, atol=2e-5, rtol=1e-4)
        assert one.outcome.best_epoch == other.outcome.best_epoch
        assert len(one.outcome.scores) == len(other.outcome.scores)
        for a, b in zip(one.outcome.scores, other.outcome.scores, strict=True):
            np.testing.assert_allclose(a.loss, b.loss, rtol=1e-4)
            np.testing.assert_allclose(a.class_f1, b.class_f1)


@pytest.mark.slow
def test_small_stacks_give_the_same_to_rounding(monkeypatch):
    data, images, folds = made(classifier_head="multi")
    large = cross_validate(data, images, BACKBONE, folds)
    monkeypatch.setattr(stacked_fit, "STACK_BYTES", 1)
    small = cross_validate(data, images, BACKBONE, folds)
    np.testing.assert_allclose(small.probabilities, large.probabilities, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"classifier_head": "residual"},
        {"classifier_head": "attention", "patience": 1},
        {"schedule": "plateau(0.1, 0)"},
        {"opt_alg": "lbfgs", "lbfgs_c": 1.0},
    ],
    ids=str,
)
@pytest.mark.slow
def test_every_image_is_predicted_once_per_repeat_the_same_each_time(changes):
    data, images, folds = made(**changes)
    first, second = (cross_validate(data, images, BACKBONE, folds) for _ in range(2))
    assert np.isfinite(first.probabilities).all()
    np.testing.assert_allclose(first.probabilities.sum(axis=2), 1)
    assert np.array_equal(first.probabilities, second.probabilities)
    assert first.best_epochs == second.best_epochs and len(first.best_epochs) == 6
    assert 1 <= first.epochs <= data.config.num_epochs
    assert not np.array_equal(first.probabilities[0], first.probabilities[1])
    state = torch.random.get_rng_state()
    cross_validate(data, images, BACKBONE, folds)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_an_image_takes_no_part_in_its_own_prediction():
    data, images, folds = made(patience=1)
    moved = data.unaugmented.copy()
    held = folds.held_out(0, 0)
    views = np.array(data.inputs.train_features)
    views[:, held] = 100.0  # as they are trained on in the other folds
    targets = data.targets.copy()
    targets[held] = 2
    other = replace(data, inputs=CachedInputs(views, moved[:0]), targets=targets)
    before, after = (cross_validate(d, images, BACKBONE, folds) for d in (data, other))
    assert np.array_equal(before.probabilities[0, held], after.probabilities[0, held])
    rest = folds.training(0, 0)
    assert not np.allclose(before.probabilities[0, rest], after.probabilities[0, rest])


def test_lbfgs_is_the_regression_of_each_fold():
    data, images, folds = made(opt_alg="lbfgs", lbfgs_c=0.5)
    found = cross_validate(data, images, BACKBONE, folds)
    for repeat in range(2):
        for fold in range(3):
            train, held = folds.training(repeat, fold), folds.held_out(repeat, fold)
            known = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=2000))
            known.fit(data.unaugmented[train], data.targets[train])
            expected = known.predict_proba(data.unaugmented[held])
            np.testing.assert_allclose(found.probabilities[repeat, held], expected, atol=2e-3)


def test_heads_with_batch_norms_are_not_stacked():
    kinds = ("single", "multi", "dense", "residual", "attention")
    heads = {kind: build_head(kind, DIM, 3, dropout=0.2, seed=0) for kind in kinds}
    assert [kind for kind in kinds if can_stack(heads[kind])] == ["single", "multi", "dense"]
