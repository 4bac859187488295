"""A metric is one entry: from there it reaches the record, results.csv, tables and figures."""

import numpy as np
import pytest
from making.sweeps import make_sweep
from sklearn import metrics as skm

from gellib.evaluation import SINGLE_LABEL, evaluate, intervals
from gellib.evaluation import registry as known
from gellib.evaluation.registry import Metric, all_metrics, register
from gellib.plots.sweep import metric_bars
from gellib.report.comparison import Comparison
from gellib.report.summary import Summary
from gellib.report.summary.models_table import style_table
from gellib.runs import format_results
from gellib.training_run.metrics_table import metrics_table


def probabilities(predicted, n_classes):
    return np.eye(n_classes)[predicted] * 0.8 + 0.2 / n_classes


def judged(rng, n, n_classes, share=0.7):
    truth = rng.integers(0, n_classes, n)
    right = rng.random(n) < share
    return truth, np.where(right, truth, rng.integers(0, n_classes, n))


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.slow
def test_they_agree_with_scikit_learn(n_classes, seed):
    truth, predicted = judged(np.random.default_rng(seed), 60, n_classes)
    names = [f"c{i}" for i in range(n_classes)]
    found = evaluate(truth, probabilities(predicted, n_classes), names)
    wanted = {
        "balanced_accuracy": skm.balanced_accuracy_score(truth, predicted),
        "mcc": skm.matthews_corrcoef(truth, predicted),
        "kappa": skm.cohen_kappa_score(truth, predicted),
    }
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name
        low, high = intervals(truth, probabilities(predicted, n_classes), names)[name]
        assert low <= value <= high and high - low < 0.6


@pytest.mark.parametrize("n_classes", [2, 4, 10])
@pytest.mark.parametrize("n", [60_000, 100_000, 1_000_000])
@pytest.mark.slow
def test_large_sets_overflow_no_metric(n, n_classes):
    """Three of four right, the others spread evenly: known values, from counts and from images."""
    wrong = n // n_classes // 4 // (n_classes - 1)
    table = np.full((n_classes, n_classes), wrong, dtype=np.int64)
    np.fill_diagonal(table, 3 * wrong * (n_classes - 1))
    correlation = (0.75 * n_classes - 1) / (n_classes - 1)
    for counts in (table, table.astype(np.int32), table.astype(float)):
        assert known.matthews_correlation(counts) == pytest.approx(correlation)
        found = known.table_metrics(counts)
        assert found["mcc"] == pytest.approx(correlation)
        assert found["balanced_accuracy"] == pytest.approx(0.75)
    truth, predicted = (
        np.repeat(side, table.ravel()) for side in np.indices(table.shape).reshape(2, -1)
    )
    names = [f"c{i}" for i in range(n_classes)]
    scores = evaluate(truth, probabilities(predicted, n_classes), names)
    for name in ("mcc", "kappa"):
        assert scores[name] == pytest.approx(correlation), name


def test_balanced_accuracy_is_of_the_classes_that_are_there():
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    found = evaluate(truth, probabilities(predicted, 3), ["a", "b", "c"])
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert found["recall"] == pytest.approx(0.5)


@pytest.mark.parametrize("truth, predicted", [([0, 0, 0], [0, 0, 0]), ([0, 1, 0], [1, 1, 1])])
def test_no_correlation_where_truth_or_predictions_are_of_one_class(truth, predicted):
    pair = np.array(truth), probabilities(predicted, 2)
    found = evaluate(*pair, ["a", "b"])
    assert found["mcc"] is None
    assert "mcc" not in intervals(*pair, ["a", "b"])
    assert metrics_table({"test": found}, SINGLE_LABEL).loc["test", "MCC"] == "-"


def test_perfect_and_opposite_predictions_are_at_the_ends():
    truth = np.array([0, 1, 0, 1, 1])
    for predicted, value in ((truth, 1.0), (1 - truth, -1.0)):
        found = evaluate(truth, probabilities(predicted, 2), ["a", "b"])
        assert found["mcc"] == pytest.approx(value)


@pytest.mark.parametrize("name", ["balanced_accuracy", "mcc", "kappa"])
@pytest.mark.slow
def test_they_are_in_record_results_table_and_figures(tmp_path, name):
    sweep = make_sweep(
        tmp_path / "gel", tmp_path / "data", grid=(("cpu", "resnet18", "single", "adam"),)
    )
    (record,) = sweep.records()
    metric = known.find_metric(name)
    assert record.test[name] is not None
    assert name in format_results(sweep.table())
    html = style_table(Comparison.of(sweep)).to_html()
    assert metric.heading in html
    summary = Summary(sweep.path)
    assert name in summary.figure_names("models")
    assert summary.figure(name).axes
    assert metric.heading in metrics_table({"test": record.test}, record.task).columns


@pytest.mark.slow
def test_a_made_up_metric_needs_one_entry(tmp_path, monkeypatch):
    monkeypatch.setattr(known, "_METRICS", dict(known._METRICS))

    def errors(tables):
        n = tables.sum(axis=(-2, -1))
        return (n - np.trace(tables, axis1=-2, axis2=-1)) / n

    made_up = Metric("error_rate", "errors", "Error rate", higher_is_better=False, of_tables=errors)
    register(made_up)
    grid = (("cpu", "resnet18", "single", "adam"), ("cpu", "resnet18", "multi", "adam"))
    sweep = make_sweep(tmp_path / "gel", tmp_path / "data", grid=grid)
    for record in sweep.records():
        assert record.test["error_rate"] == pytest.approx(1 - record.test["accuracy"])
    table = sweep.table()
    assert table["error_rate"].notna().all()
    assert "error_rate" in sweep.write_results().read_text().splitlines()[0]
    assert "errors" in style_table(Comparison.of(sweep)).to_html()
    summary = Summary(sweep.path)
    assert "error_rate" in summary.figure_names("models")
    summary.figure("error_rate")
    with pytest.raises(ValueError, match="'error_rate' is registered already"):
        register(made_up)


def test_bars_go_below_zero_where_a_model_is_worse_than_chance(tmp_path):
    sweep = make_sweep(
        tmp_path / "gel", tmp_path / "data", accuracies=[0.1, 0.9],
        grid=(("cpu", "resnet18", "single", "adam"), ("cpu", "vgg16", "single", "adam")),
    )  # fmt: skip
    models = Comparison.of(sweep).models
    (axes,) = metric_bars(models, "mcc").axes
    assert axes.get_xlim()[0] < models["mcc"].min() < 0
    assert any(text.get_text() == f"{models['mcc'].min():.2f}" for text in axes.texts)


def test_headings_are_told_apart():
    for task in ("single_label", "multilabel"):
        headings = [metric.heading for metric in all_metrics(task)]
        assert len(set(headings)) == len(headings)
