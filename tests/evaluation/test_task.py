"""One `Task` answers whether images have one label or several, and all that follows from it."""

import copy
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

import gellib
from gellib.base.text import join_labels
from gellib.evaluation import MULTILABEL, SINGLE_LABEL, TASKS, find_task
from gellib.evaluation import registry as known
from gellib.evaluation.registry import Metric, register
from gellib.evaluation.resampling import wilson
from gellib.runs import Record

PACKAGE = Path(gellib.__file__).parent


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_a_copy_is_the_same_task(task):
    assert pickle.loads(pickle.dumps(task)) is task
    assert copy.deepcopy(task) is task
    assert find_task(task.name) is task


@pytest.mark.parametrize("old", ["binary", "multiclass"])
def test_names_of_the_first_version_are_known(old):
    assert find_task(old) is SINGLE_LABEL


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="got 'both', expected 'single_label' or 'multilabel'"):
        find_task("both")


@pytest.mark.parametrize(
    ("data", "test", "task"),
    [
        ({"task": "multilabel"}, {}, MULTILABEL),
        ({"task": "single_label"}, {}, SINGLE_LABEL),
        ({"task": "multiclass"}, {}, SINGLE_LABEL),
        ({}, {"f1_samples": 0.5}, MULTILABEL),
        ({}, {}, SINGLE_LABEL),
    ],
)
def test_a_record_has_a_task(data, test, task):
    values = {"schema": 1, "status": "done", "config": {}, "data": data}
    record = Record.parse(values | {"metrics": {"test": {"accuracy": 1.0, "n": 1} | test}})
    assert record.task is task


def draw(task, n=60, n_classes=4, seed=0):
    rng = np.random.default_rng(seed)
    if task.exclusive:
        labels = [int(c) for c in rng.integers(0, n_classes, n)]
        p = rng.dirichlet(np.ones(n_classes), n)
    else:
        labels = [tuple(np.flatnonzero(row)) for row in rng.random((n, n_classes)) < 0.4]
        p = rng.random((n, n_classes))
    return labels, task.targets(labels, n_classes), p


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_labels_targets_and_texts_agree(task):
    names = np.array(["a", "b", "c", "d"], dtype=object)
    labels, targets, _ = draw(task)
    members = task.memberships(targets, 4)
    for label, row in zip(labels, members, strict=True):
        numbers = tuple(int(c) for c in np.flatnonzero(row))
        assert task.pack(numbers) == label
        text = join_labels(names[row])
        assert task.labels_of(text) == list(names[row])


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_scores_of_single_images_average_to_the_headline_metric(task):
    names = np.array(["a", "b", "c", "d"], dtype=object)
    _, targets, p = draw(task)
    texts = [
        [join_labels(names[row]) for row in rows]
        for rows in (task.memberships(targets, 4), task.decide(p))
    ]
    scores = [task.score_prediction(*pair) for pair in zip(*texts, strict=True)]
    assert task.evaluate(targets, p, list(names))[task.headline] == pytest.approx(np.mean(scores))


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_a_temperature_keeps_the_decision_and_can_be_taken_back(task):
    _, _, p = draw(task)
    warm = task.apply_temperature(p, 3.0)
    assert np.array_equal(task.decide(warm), task.decide(p))
    assert task.entropy(warm).mean() > task.entropy(p).mean()
    assert task.apply_temperature(warm, 1 / 3) == pytest.approx(p, abs=1e-9)


def test_a_made_up_multilabel_metric_needs_one_entry(monkeypatch):
    monkeypatch.setattr(known, "_METRICS", dict(known._METRICS))

    def weighted(counts):
        both, predicted, true = (counts[..., i, :] for i in range(3))
        f1 = 2 * both / np.maximum(predicted + true, 1e-12)
        return (f1 * true).sum(axis=-1) / true.sum(axis=-1)

    register(Metric("f1_weighted", "weighted F1", "Weighted F1", "multilabel", of_counts=weighted))
    register(
        Metric(
            "half", "half right", "Half of the labels right", "multilabel",
            of_images=lambda true, given: ((true == given).mean(axis=1) >= 0.5).astype(float),
            interval=lambda share, n: list(wilson(share * n, n)),
        )
    )  # fmt: skip
    _, targets, p = draw(MULTILABEL)
    before = MULTILABEL.intervals(targets, p, list("abcd"))["intervals"]
    scores = MULTILABEL.evaluate(targets, p, list("abcd"))
    expected = f1_score(targets, p >= 0.5, average="weighted", zero_division=0)
    assert scores["f1_weighted"] == pytest.approx(expected)
    for name in ("f1_weighted", "half"):
        low, high = before[name]
        assert low < scores[name] < high
    monkeypatch.undo()
    # A metric more leaves the intervals of the others as they are.
    after = MULTILABEL.intervals(targets, p, list("abcd"))["intervals"]
    assert after == {name: ends for name, ends in before.items() if name in after}


def test_nobody_but_the_task_asks_for_several_labels():
    """Other modules ask `task.exclusive`; a second criterion would begin to disagree."""
    criteria = re.compile(
        r"""["'](multilabel|multi_label|singlelabel|single_label|multiclass|binary)["']"""
        r"""|["'](val_)?f1_samples["']|["']hamming_loss["']|\bseveral=(True|False|several)"""
    )
    owners = {f"evaluation/{name}.py" for name in ("task", "registry", "intervals")}
    found = [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).as_posix() not in owners
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if criteria.search(line)
    ]
    assert not found
