"""Runs that are evaluated by cross-validation, from images to the files that they leave."""

import shutil

import numpy as np
import pandas as pd
import pytest
from making.folders import make_multilabel, make_stripes_and_dots
from making.images import make_subject_slices, save_png

from gellib.config import RunConfig
from gellib.runs import RunFolder, format_results, read_sweep_out_of_fold, tabulate
from gellib.training_run import TrainingRun, load_images
from gellib.training_run.predictor import Predictor

FIGURES = (
    *("loss_accuracy", "class_curves", "learning_rate", "confusion_matrix", "roc_curve"),
    *("calibration", "risk_coverage", "explain", "demo_predictions"),
)


def finish(images, name, **changes):
    settings = {
        "dataset_dir": str(images),
        "run_dir": str(images.parent / "sweep" / name),
        "cache_dir": str(images.parent / "cache"),
        "image_size": 32,
        "num_epochs": 6,
        "batch_size": 8,
        "learning_rate": 0.01,
        "weights": "none",
        "augmentation": "none",
        "group_duplicates": False,
        "cv_repeats": 2,
    }
    run = TrainingRun(RunConfig(**(settings | changes)))
    run.load_images()
    run.load_backbone()
    run.train()
    run.evaluate()
    for figure in FIGURES:
        getattr(run, figure)()
    return run, run.finish()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two classes, without a test part."""
    folder = tmp_path_factory.mktemp("crossed")
    make_stripes_and_dots(folder / "given", train=12, test=4)
    shutil.copytree(folder / "given" / "train", folder / "images")
    return folder / "images"


@pytest.fixture(scope="module")
def finished(images):
    return finish(images, "01-a")


@pytest.mark.slow
class TestWithoutATestPart:
    def test_the_record_has_out_of_fold_scores_and_no_test(self, finished):
        run, shown = finished
        record = run.folder.read_record()
        assert record.evaluation.method == "cv" and record.evaluation.groups == 24
        assert (record.evaluation.folds, record.evaluation.repeats) == (5, 2)
        assert record.evaluation.best_epochs == [6] * 10 and record.best_epoch == 6
        assert set(record.metrics) == {"train", "val"}
        assert record.val["n"] == record.metrics["train"]["n"] == record.calibration.n_val == 24
        assert "accuracy" in record.val["intervals"] and len(record.val["repeats"]) == 2
        assert record.out_of_distribution.test_flagged is None
        sets = record.prediction_sets
        assert sets.source == "out-of-fold" and sets.n == 24
        assert {own["groups"] for own in sets.classes.values()} == {12}
        assert set(sets.too_few) == set(sets.classes), "12 images of a class are too few"
        assert record.uncertainty.n == 24 and record.uncertainty.samples == 2
        assert shown["out-of-fold accuracy"].endswith("of 24 images")

    def test_too_few_images_for_prediction_sets_are_said(self, finished, capsys):
        run, _ = finished
        run.evaluate()
        out = capsys.readouterr().out
        assert "nothing is promised for others: dots has 12, stripes has 12" in out

    def test_predictions_are_the_mean_over_the_repeats(self, finished):
        run, _ = finished
        table = run.folder.read_predictions()
        each = pd.read_csv(run.folder.out_of_fold, dtype={"file": str})
        assert set(table["split"]) == {"cv"} and len(each) == 2 * len(table)
        mean = each.groupby("file")["p_dots"].mean()
        np.testing.assert_allclose(table.set_index("file")["p_dots"], mean, rtol=1e-12)
        assert (each.groupby(["file"])["repeat"].nunique() == 2).all()
        # The score is of each repeat, as the model that is kept is one head and no mean of several.
        right = each["label"] == each["predicted"]
        val = run.folder.read_record().val
        assert val["accuracy"] == pytest.approx(right.mean(), abs=1e-12)
        assert val["repeats"] == pytest.approx(right.groupby(each["repeat"]).mean().tolist())
        wrong = (table["label"] != table["predicted"]).sum()
        assert np.sum(val["confusion_matrix"]) - np.trace(val["confusion_matrix"]) == wrong
        assert table["entropy"].notna().all()

    def test_history_has_the_curves_of_the_images_held_out(self, finished):
        run, _ = finished
        history = run.folder.read_history()
        assert len(history) == 6 and history.notna().all(axis=None)
        assert set(run.folder.read_class_history()["split"]) == {"train", "val"}

    def test_the_table_of_results_has_out_of_fold_scores_and_says_so(self, finished):
        run, _ = finished
        record = run.folder.read_record()
        row = format_results(tabulate([record])).iloc[0]
        assert row["accuracy"] == f"{record.val['accuracy']:.2%}" and row["n_test"] == 24
        assert row["val_accuracy"] == record.val["accuracy"] and row["evaluation"] == "cv"

    def test_figures_say_what_they_are_of(self, finished):
        run, _ = finished
        words = "images out of fold, 5 folds x 2 repeats"
        assert run.confusion_matrix().axes[0].get_title() == words.capitalize()
        for figure in (run.calibration(), run.risk_coverage(), run.roc_curve()):
            # Without a mistake, the first two are a sentence.
            titles = [axes.get_title(loc) for axes in figure.axes for loc in ("left", "center")]
            text = " ".join([*titles, *(text.get_text() for text in figure.axes[0].texts)])
            assert words in text.lower()
        assert list(run.metrics_table().index) == ["train", "out of fold"]

    def test_again_is_the_same_to_the_last_bit(self, finished, images):
        first, (second, _) = finished[0], finish(images, "again")
        assert first.folder.out_of_fold.read_bytes() == second.folder.out_of_fold.read_bytes()
        one, other = (r.folder.read_record().metrics for r in (first, second))
        assert one == other

    def test_configurations_have_the_same_folds(self, finished, images):
        other, _ = finish(images, "02-b", classifier_head="multi", learning_rate=0.001)
        records = [run.folder.read_record() for run in (finished[0], other)]
        found = read_sweep_out_of_fold(images.parent / "sweep", records)
        assert found.paired and found.values.shape == (2, 2, 24)
        assert np.isfinite(found.values).all()
        mean = [record.val["repeats"] for record in records]
        np.testing.assert_allclose(found.values.mean(axis=2), mean)

    def test_the_model_was_trained_on_all_images(self, finished):
        run, _ = finished
        found = Predictor(RunFolder(run.folder.path)).predict(list(run.images.table["path"]))
        right = [p.label == t for p, t in zip(found, run.images.label_texts(), strict=True)]
        assert np.mean(right) == run.metrics["train"]["accuracy"]


@pytest.mark.slow
def test_a_given_test_part_is_predicted_by_the_final_head(images):
    run, shown = finish(images.parent / "given", "tested", patience=2, num_epochs=12)
    record, table = run.folder.read_record(), run.folder.read_predictions()
    assert record.data.counts["dots"] == {"cv": 12, "test": 4}
    assert record.val["n"] == 24 and record.test["n"] == 8
    assert "test accuracy" in shown
    assert len(run.folder.read_history()) == record.best_epoch == record.stopped_epoch
    assert record.best_epoch == round(np.median(record.evaluation.best_epochs))
    each = pd.read_csv(run.folder.out_of_fold, dtype={"file": str})
    test = table[table["split"] == "test"]
    assert not set(test["file"]) & set(each["file"]) and len(each) == 48
    found = Predictor(RunFolder(run.folder.path)).predict(
        [run.images.root / f for f in test["file"]]
    )
    ours = [p.probabilities["dots"] for p in found]
    np.testing.assert_allclose(ours, test["p_dots"], atol=1e-5)
    assert record.out_of_distribution.n_test == 8


@pytest.mark.slow
def test_several_labels_have_thresholds_from_out_of_fold_predictions(tmp_path):
    run, _ = finish(make_multilabel(tmp_path / "several", 60), "several", opt_alg="lbfgs")
    record = run.folder.read_record()
    assert record.thresholds.chosen_on == "out of fold" and record.evaluation.method == "cv"
    assert record.val["n"] == 60 and 0 < record.val["f1_samples"] <= 1
    assert list(run.metrics_table().index)[-1] == "out of fold, thresholds 0.5"
    found = read_sweep_out_of_fold(tmp_path / "sweep", [record])
    np.testing.assert_allclose(found.values[0].mean(axis=1), record.val["repeats"])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["cv", "holdout"])
def test_slices_of_a_subject_stay_whole_and_a_torn_test_part_is_warned_of(tmp_path, method):
    pictures, labels, subjects = make_subject_slices(1)
    for i, (picture, label, subject) in enumerate(zip(pictures, labels, subjects, strict=True)):
        pixels = np.asarray(picture).clip(0, 255).astype(np.uint8)
        save_png(tmp_path / "set" / "ab"[label] / f"{subject:02d}-{i:03d}.png", pixels)
    settings = {"cache_dir": str(tmp_path / "cache"), "evaluation": method}
    loaded = load_images(RunConfig(dataset_dir=str(tmp_path / "set"), **settings))
    assert "near-duplicate clusters" in loaded.families.sentence()
    assert loaded.families.warning() == ""
    table = loaded.images.table.assign(subject=loaded.images.table["file"].str[2:4])
    where = table["split"] if loaded.folds is None else loaded.folds.numbers[0]
    torn = (table.assign(where=where).groupby("subject")["where"].nunique() > 1).sum()
    assert torn <= 4, "two subjects of one class may look alike by chance"
    apart = load_images(
        RunConfig(dataset_dir=str(tmp_path / "set"), group_families=False, **settings)
    )
    assert apart.families.to_dict()["checked"] is False and apart.families.sentence() == ""
    for file in sorted((tmp_path / "set").rglob("*.png"))[::4]:
        target = tmp_path / "torn" / "test" / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
        file.unlink()
    shutil.copytree(tmp_path / "set", tmp_path / "torn" / "train")
    torn = load_images(RunConfig(dataset_dir=str(tmp_path / "torn"), **settings))
    words = torn.families.warning()
    assert "test images are near-duplicates of training images" in words
    assert torn.families.to_dict()["torn"] > 0.5 * torn.families.to_dict()["tested"]
