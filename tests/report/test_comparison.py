"""Repeats put together, baselines, and a summary that adapts to what its sweep varies."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from making.folders import make_gels
from making.records import make_comparison
from making.sweeps import add_run, write_sweep

from gellib import plots
from gellib.base.files import write_json
from gellib.evaluation import MULTILABEL, evaluate, evaluate_multilabel, wilson
from gellib.report.baselines import MAJORITY, STATISTICS, Baselines, fit_baselines, image_statistics
from gellib.report.comparison import Comparison
from gellib.report.summary import Summary
from gellib.runs import RunFolder, read_sweep_predictions

CLASSES = ("mild", "none", "severe")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    return root, make_gels(root, {"train": 8, "val": 5, "test": 10})


def split_again(images, fold, folds):
    """Let a fold's images test, and all others train or validate."""
    number = np.arange(len(images))
    split = np.where(number % folds == fold, "test", np.where(number % 5 == 4, "val", "train"))
    return images.assign(split=split)


@pytest.mark.slow
def test_folds_are_pooled_to_one_result(tmp_path, images):
    root, table = images
    names = [
        add_run(tmp_path / "s", f"0{k}-{net}-fold{fold}", split_again(table, fold, 3), root,
                accuracy, model_id=k, pretrained_model=net, split="kfold", folds=3, fold=fold)
        for k, net, accuracy in ((1, "resnet18", 0.9), (2, "vgg16", 0.5)) for fold in range(3)
    ]  # fmt: skip
    compared = Comparison.of(write_sweep(tmp_path / "s", names))
    assert len(compared.table) == 6 and len(compared.models) == 2
    assert compared.factors == ["pretrained_model"], "a fold is no factor"
    row = compared.models.iloc[0]
    assert (row.n_test, row.folds_done, row.seeds) == (len(table), 3, 1)
    parts = [RunFolder(tmp_path / "s" / name).read_predictions() for name in names[:3]]
    test = pd.concat([part[part.split == "test"] for part in parts])
    assert not test["file"].duplicated().any()
    truth = test["label"].map(["gel", "not_gel"].index).to_numpy()
    expected = evaluate(truth, test[["p_gel", "p_not_gel"]].to_numpy(), ["gel", "not_gel"],
                        positive="gel")  # fmt: skip
    for name in ("accuracy", "precision", "roc_auc"):
        assert row[name] == pytest.approx(expected[name])
    assert row.conf_mat == expected["confusion_matrix"]
    assert compared.n_test == len(table) and compared.indistinguishable.images == len(table)
    text = "".join(Summary(tmp_path / "s").conclusions())
    assert "6 of 6 runs finished (2 configurations and 3 folds, pooled)" in text


def test_seeds_are_averaged_with_every_one_kept():
    rights = {1: (20, 18, 16), 2: (12, 11, 10)}
    rows = [
        {"right": right, "model_id": k, "seed": seed, "opt_alg": ("adam", "sgd")[k - 1]}
        for k, values in rights.items() for seed, right in enumerate(values)
    ]  # fmt: skip
    compared = make_comparison(rows)
    one = compared.models.iloc[0]
    assert one.accuracy == pytest.approx(18 / 22) and one.seeds == 3
    assert one.accuracy_seeds == pytest.approx([20 / 22, 18 / 22, 16 / 22])
    # Wilson's halves of 20, 18 and 16 of 22, and 4.303 * 2 / sqrt(3) images between the seeds.
    below = np.mean([right - 22 * wilson(right, 22)[0] for right in (20, 18, 16)])
    assert one.accuracy_low * 22 == pytest.approx(18 - np.hypot(below, 4.9683), abs=1e-3)
    assert compared.effects[0].seeds == 3 and compared.effects[0].pairs == 3
    fig = plots.metric_bars(compared.models, "accuracy")
    dots = [line for line in fig.axes[0].lines if line.get_marker() == "o"]
    assert sorted(x for line in dots for x in line.get_xdata()) == pytest.approx(
        sorted(r / 22 for values in rights.values() for r in values)
    )
    assert "Dots: the seeds." in fig.get_supxlabel()


def test_a_seed_that_failed_is_not_counted():
    rows = [
        {"right": 20, "model_id": 1, "seed": 0},
        {"status": "failed", "model_id": 1, "seed": 1},
        {"status": "failed", "model_id": 2, "seed": 0},
    ]
    models = make_comparison(rows).models
    assert models["status"].tolist() == ["done", "failed"]
    assert models["seeds"].tolist() == [1, 0]
    assert models["accuracy"].iloc[0] == pytest.approx(20 / 22)


@pytest.mark.slow
def test_baselines_learn_from_the_training_images_alone(images):
    root, table = images
    table = table.assign(label=np.array(["gel", "not_gel"])[table["label"]])
    found = Baselines(root / "baselines.json")
    first = found.predict(table, root)
    found.save()
    assert set(first) == {MAJORITY, STATISTICS}
    test = table[table["split"] == "test"].set_index("file")["label"]
    assert set(first[STATISTICS]) == set(test.index)
    right = np.mean([first[STATISTICS][file] == label for file, label in test.items()])
    assert right > 0.9, "bands and blots differ in their statistics"
    turned = table.assign(
        label=np.where(table["split"] == "test", "gel", table["label"])
    )  # other truths of the test images change nothing
    assert Baselines(root / "none.json").predict(turned, root) == first
    # Kept, so that the images are not needed again; other splits are computed anew.
    again = Baselines(root / "baselines.json")
    assert again.predict(table, root / "gone") == first and not again.problem
    other = again.predict(split_again(table, 0, 2), root / "gone")
    assert set(other) == {MAJORITY} and "not at" in again.problem


def test_the_commonest_class_is_that_of_the_training_images():
    table = pd.DataFrame(
        {"file": list("abcdef"), "split": ["train"] * 3 + ["test"] * 3, "label": list("xxyyyy")}
    )
    assert fit_baselines(table, None) == {MAJORITY: {"d": "x", "e": "x", "f": "x"}}


def test_baselines_of_several_labels():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    label = ["|".join(n for n, v in zip("ab", row, strict=False) if v > 0) for row in x]
    table = pd.DataFrame({"file": [str(i) for i in range(200)], "label": label})
    table["split"] = ["train"] * 150 + ["test"] * 50
    found = fit_baselines(table, x, task=MULTILABEL)[STATISTICS]
    right = [found[file] == own for file, own in zip(table["file"], label, strict=True)
             if file in found]  # fmt: skip
    assert len(right) == 50 and np.mean(right) > 0.85


def test_image_statistics_do_not_depend_on_size_and_see_edges():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (64, 64)).astype(np.uint8)
    flat = np.full((64, 64), 128, np.uint8)
    assert np.isfinite(image_statistics(flat)).all()
    large = np.kron(noise, np.ones((4, 4), np.uint8))
    assert image_statistics(large) == pytest.approx(
        image_statistics(np.kron(noise, np.ones((8, 8), np.uint8))), abs=0.03
    )
    assert len(image_statistics(np.dstack([noise] * 3))) == len(image_statistics(noise)) + 6


@pytest.mark.slow
def test_groups_of_images_are_read_and_tested_as_one(tmp_path, images):
    root, table = images
    names = [
        add_run(tmp_path / "s", f"0{k}", table, root, accuracy, model_id=k, opt_alg=opt)
        for k, opt, accuracy in ((1, "adam", 1.0), (2, "sgd", 0.5))
    ]
    sweep = write_sweep(tmp_path / "s", names)
    apart = Comparison.of(sweep)
    for name in names:
        run = RunFolder(tmp_path / "s" / name)
        predictions = run.read_predictions()
        predictions.assign(group=[f"g{i % 3}" for i in range(len(predictions))]).to_csv(
            run.predictions, index=False
        )
    together = Comparison.of(sweep)
    assert (apart.indistinguishable.groups, together.indistinguishable.groups) == (20, 3)
    assert together.effects[0].p >= 2 / 2**3 > apart.effects[0].p


def test_too_much_text_is_not_read(tmp_path, images):
    root, table = images
    name = add_run(tmp_path, "01", table, root, 0.9)
    records = [RunFolder(tmp_path / name).read_record()]
    assert read_sweep_predictions(tmp_path, records).scores is not None
    predictions = read_sweep_predictions(tmp_path, records, most_bytes=10)
    assert predictions.scores is None and "more than is read" in predictions.reason


@pytest.mark.slow
def test_listed_runs_get_a_table_and_figures_by_class(tmp_path):
    root = tmp_path / "data"
    table = make_gels(root, {"train": 5, "val": 4, "test": 8}, CLASSES)
    names, listed = [], []
    for k, (name, accuracy) in enumerate((("baseline", 0.5), ("balanced", 0.9)), start=1):
        lr = 0.001 * k
        names.append(add_run(tmp_path / "s", f"0{k}-{name}", table, root, accuracy, model_id=k,
                             classes=CLASSES, learning_rate=lr))  # fmt: skip
        changed = {"learning_rate": [0.001, 0.002]} if k > 1 else {}
        listed.append({"model_id": k, "name": name, "like": "baseline" if k > 1 else None,
                            "changed": changed})  # fmt: skip
    summary = Summary(write_sweep(tmp_path / "s", names, listed_runs=listed).path)
    page = summary.tables()[0].to_html()
    assert "learning rate: 0.001 → 0.002" in page.replace("learning_rate", "learning rate")
    # Stronger than the `nowrap` of all cells: an id alone would not be.
    assert re.search(r"#T_listed td\.col3 \{\s*white-space: pre-line", page)
    accuracy = summary.table["accuracy"].tolist()
    assert f"{accuracy[1]:.1%}".replace("%", " %") in page
    assert f"(+{100 * (accuracy[1] - accuracy[0]):.1f})" in page
    assert "2  balanced" in [
        t.get_text() for t in summary.figure("losses").axes[0].get_yticklabels()
    ]
    fig = summary.figure("classes_test")
    recall = json.loads((tmp_path / "s" / names[1] / "record.json").read_text())
    recall = recall["metrics"]["test"]["per_class"]["severe"]["recall"]
    assert fig.axes[1].texts[5].get_text() == f"{100 * recall:.0f}"
    assert len([a for a in summary.figure("confusion_matrices").axes if a.images]) == 2
    assert not summary.section("factors") and not summary.section("search")


@pytest.mark.slow
def test_a_search_is_drawn_in_three_and_in_two_dimensions(tmp_path, images):
    root, table = images
    names = []
    for k, (batch, rate) in enumerate([(8, 0.01), (8, 0.1), (32, 0.01), (32, 0.1)], start=1):
        names.append(add_run(tmp_path / "s", f"0{k}", table, root, 0.8, model_id=k,
                             batch_size=batch, learning_rate=rate))  # fmt: skip
    summary = Summary(write_sweep(tmp_path / "s", names).path)
    assert summary.figure_names("search") == ["search_3d", "search_heatmap"]
    fig = summary.figure("search_heatmap")
    lowest = [RunFolder(tmp_path / "s" / n).read_history()["val_loss"].min() for n in names]
    assert [t.get_text() for t in fig.axes[0].texts] == [f"{value:.3g}" for value in lowest]
    assert len(fig.axes[0].patches) == 1, "the lowest is framed"
    (points,) = summary.figure("search_3d").axes[0].collections
    assert np.sort(points._offsets3d[2]) == pytest.approx(np.sort(lowest))


@pytest.mark.slow
def test_several_labels_are_compared_by_f1_per_image(tmp_path, images):
    root, table = images
    names, rng = [], np.random.default_rng(0)
    truth = (rng.random((len(table), 3)) < 0.5).astype(int)
    for k, noise in ((1, 0.55), (2, 1.1)):
        name = add_run(tmp_path / "s", f"0{k}", table, root, 0.7, model_id=k,
                       opt_alg=("adam", "sgd")[k - 1])  # fmt: skip
        run = RunFolder(tmp_path / "s" / name)
        p = np.clip(0.45 * truth + noise * rng.random(truth.shape), 0, 1)
        names_of = [["|".join(np.array(CLASSES)[row]) for row in rows > 0.5] for rows in (truth, p)]
        run.write_predictions(
            pd.DataFrame({"file": table["file"], "split": table["split"], "label": names_of[0],
                          "predicted": names_of[1]}).assign(
                **{f"p_{c}": p[:, i] for i, c in enumerate(CLASSES)})
        )  # fmt: skip
        record = run.read_record().to_dict()
        record["data"]["classes"] = list(CLASSES)
        parts = {s: (table["split"] == s).to_numpy() for s in ("train", "val", "test")}
        record["metrics"] = {
            s: evaluate_multilabel(truth[rows], p[rows], CLASSES) for s, rows in parts.items()
        }
        write_json(run.record, record)
        names.append(name)
    summary = Summary(write_sweep(tmp_path / "s", names).path)
    compared = summary.comparison
    assert compared.score == "f1_samples"
    # The scores of single images average to the record's own F1 per image.
    own = compared.predictions.scores.values.mean(axis=0)
    assert own == pytest.approx(summary.table["f1_samples"].to_numpy())
    assert set(compared.baselines.means) == {MAJORITY, STATISTICS}
    text = summary.conclusions()
    assert "Chosen by validation F1 per image" in text and "accuracy" not in text.split("Mean")[0]
    assert {"f1_samples", "mean_average_precision", "hamming_loss"} <= set(
        summary.figure_names("models")
    )
    assert "best_confusion_matrix" not in summary.figure_names()
    assert [t.get_text() for t in summary.figure("best_label_scores").axes[0].get_yticklabels()]
    summary.figure("hamming_loss"), summary.figure("heatmap"), summary.figure("classes_test")
    assert "Hamming loss" in summary.models().to_html()


def test_splits_side_by_side_are_compared_over_different_images(tmp_path, images):
    root, table = images
    names = [
        add_run(tmp_path / "s", f"0{k}", split_again(table, k, 2), root, accuracy, model_id=k + 1,
                split=split)
        for k, split, accuracy in ((0, "random", 0.9), (1, "stratified", 0.9))
    ]  # fmt: skip
    compared = Comparison.of(write_sweep(tmp_path / "s", names))
    (effect,) = compared.effects
    assert effect.factor == "split" and effect.unit == "different test images"
    assert effect.verdict == "no evidence of a difference" and not compared.same_images
    assert compared.indistinguishable is None


@pytest.mark.slow
def test_one_throw_of_each_split_proves_nothing_however_far_apart(tmp_path, images):
    root, table = images
    verdicts = []
    for seeds in (1, 4):
        sweep = tmp_path / f"of{seeds}"
        names = [
            add_run(sweep, f"{k}-{seed}", split_again(table, 4 * k + seed, 8), root, accuracy,
                    model_id=k + 1, split=split, seed=seed)
            for k, split, accuracy in ((0, "random", 0.95), (1, "stratified", 0.2))
            for seed in range(seeds)
        ]  # fmt: skip
        (effect,) = Comparison.of(write_sweep(sweep, names)).effects
        verdicts.append(effect.verdict)
    assert verdicts == ["no evidence of a difference", "better"]


@pytest.mark.slow
def test_a_grid_beside_a_list_of_runs(tmp_path, images, monkeypatch):
    root, table = images
    grid = [("resnet18", 0.001), ("resnet18", 0.01), ("vgg11", 0.001), ("vgg11", 0.01)]
    names = [
        add_run(tmp_path / "s", f"0{k}", table, root, 0.9, model_id=k, pretrained_model=net,
                learning_rate=rate)
        for k, (net, rate) in enumerate(grid, start=1)
    ]  # fmt: skip
    listed = []
    for k, (name, like) in enumerate((("frozen", None), ("tuned", "frozen")), start=5):
        names.append(add_run(tmp_path / "s", f"0{k}-{name}", table, root, 0.8, model_id=k,
                             batch_size=k))  # fmt: skip
        listed.append({"model_id": k, "name": name, "like": like, "changed": {}})
    summary = Summary(write_sweep(tmp_path / "s", names, listed_runs=listed).path)
    compared = summary.comparison
    assert compared.factors == ["pretrained_model", "learning_rate"], "of the grid alone"
    monkeypatch.setattr("gellib.report.summary.class_figures._MOST_MATRICES", 3)
    matrices = summary.figure("confusion_matrices")
    best = compared.done["model_id"].tolist()
    grid_best = next(i for i in best if i < 5)
    assert [a.get_title(loc="left").split()[0] for a in matrices.axes if a.images] == [
        str(grid_best), "5", "6",
    ], "the list, and the best of the grid"  # fmt: skip
    assert "3 more models are not shown" in matrices.get_supxlabel()
    pairs = [(e.factor, e.a, e.b, e.pairs) for e in compared.effects]
    assert pairs == [
        ("pretrained_model", "resnet18", "vgg11", 2),
        ("learning_rate", 0.001, 0.01, 2),
        ("listed run", "tuned", "frozen", 1),
    ]
    assert compared.models["label"].tolist() == [
        "resnet18 lr 0.001", "resnet18 lr 0.01", "vgg11 lr 0.001", "vgg11 lr 0.01", "frozen",
        "tuned",
    ]  # fmt: skip
    text = summary.conclusions()
    assert "**By architecture**, mean test accuracy: " in text
    assert "resnet18 90.0 % (2 models)" in text and "80.0 %" not in text.split("**By")[1]
    assert "each against what it builds on: tuned" in text
    assert summary.figure_names("factors") == [
        "accuracy_by_pretrained_model", "accuracy_by_learning_rate",
    ]  # fmt: skip
    assert len(summary.tables()) == 3
