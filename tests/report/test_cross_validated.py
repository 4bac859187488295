"""Conclusions of cross-validated sweeps: four verdicts, the corrected score, the answer box."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from making.records import make_comparison
from making.sweeps import make_cross_validated_sweep

from gellib.evaluation import crossval
from gellib.report.baselines import MAJORITY, STATISTICS
from gellib.report.comparison import Comparison
from gellib.report.conclusions import conclusions
from gellib.report.conclusions.cross_validated import rounded, would_decide
from gellib.report.summary import Summary
from gellib.report.summary.answer import find_answer
from gellib.sweeps.sweep_file import SweepFile
from gellib.training_run.more_images import MoreImages

NETS = tuple({"pretrained_model": net} for net in ("vgg16", "resnet18", "mobilenet-v3"))


def say(sweep):
    return "\n".join(conclusions(Comparison.of(sweep))).replace(str(sweep.path.parent), "")


def test_a_clear_difference_is_better_and_a_close_one_is_not_decided(tmp_path):
    sweep = make_cross_validated_sweep(tmp_path, list(zip(NETS, (0.95, 0.94, 0.7), strict=True)))
    text = say(sweep)
    assert "**Chosen by out-of-fold accuracy: model 1" in text
    assert "Out of 92 images, each predicted by heads that never saw it (5 folds, drawn 3" in text
    assert "The chosen model is better than model 3." in text
    assert "Against model 2 there is not enough evidence. About" in text
    assert "**vgg16 is better than mobilenet-v3**" in text
    assert "**Not enough evidence**: vgg16 against resnet18" in text
    assert "test" not in text.lower().replace("tested", ""), "no test image was there"
    assert "with this seed" not in text and "nothing can be concluded" not in text


@pytest.mark.slow
def test_the_worth_is_corrected_for_the_choice(tmp_path):
    sweep = make_cross_validated_sweep(tmp_path, [0.85] * 8, shared=0.2)
    compared = Comparison.of(sweep)
    found = compared.cross_validated
    corrected = found.corrected
    assert corrected.score < found.interval(found.chosen).score
    assert f"corrected for being the highest of 8, **{100 * corrected.score:.1f} %" in say(sweep)
    alone = make_cross_validated_sweep(tmp_path / "alone", [0.9])
    text = say(alone)
    assert "corrected" not in text and "**between" in text and "Only one model" in text


@pytest.mark.slow
def test_practically_the_same_and_cheaper(tmp_path):
    sweep = make_cross_validated_sweep(
        tmp_path, list(zip(NETS, (0.95, 0.9499, 0.9498), strict=True)), n=800, shared=1.0
    )
    text = say(sweep)
    assert "practically the same as models 2, 3 (within 5 percentage points)" in text
    assert "**Practically the same** (within 5 percentage points): vgg16 against" in text
    assert "Practically the same and cheaper: model 3 (mobilenet-v3), " in text
    assert "9.0 times as fast and 27.6 times smaller" in text
    assert "better than" not in text


@pytest.mark.parametrize(("margin", "same"), [(0.2, True), (0.001, False)])
@pytest.mark.slow
def test_the_margin_of_the_sweep_file_decides_what_is_the_same(tmp_path, margin, same):
    sweep = make_cross_validated_sweep(tmp_path, [0.9, 0.89], n=400, shared=0.97, margin=margin)
    assert ("practically the same" in say(sweep)) == same
    assert Comparison.of(sweep).margin == margin


def test_the_margin_is_checked_and_has_one_default():
    assert SweepFile(name="a").margin == crossval.MARGIN
    for wrong in (0.0, -0.1, 0.6, "5"):
        with pytest.raises(ValueError, match="margin"):
            SweepFile(name="a", margin=wrong)


@pytest.mark.slow
def test_groups_are_what_counts_as_evidence(tmp_path):
    few = make_cross_validated_sweep(tmp_path / "few", [0.95, 0.7], n=60, groups=20)
    text = say(few)
    assert "Out of 60 images in 3 groups" in text and "better than" not in text
    assert "better than" in say(make_cross_validated_sweep(tmp_path / "many", [0.95, 0.7], n=60))


def test_a_given_test_part_says_what_the_chosen_is_worth(tmp_path):
    sweep = make_cross_validated_sweep(tmp_path, [0.95, 0.7], given_test=40)
    text = say(sweep)
    row = Comparison.of(sweep).done.iloc[0]
    assert row.n_test == 40 and row.accuracy != row.val_accuracy
    right = round(row.accuracy * 40)
    assert f"which chose nothing, its accuracy is {100 * right / 40:.1f} %" in text
    assert f"= {right} of 40 test images, between" in text
    assert "mean out-of-fold accuracy" in text, "settings are compared on all images"


@pytest.mark.slow
def test_a_configuration_is_compared_over_its_seeds(tmp_path):
    one, two = {"learning_rate": 0.01}, {"learning_rate": 0.02}
    runs = [(one | {"seed": 0}, 0.95), (one | {"seed": 1}, 0.94), (two | {"seed": 0}, 0.7),
            (two | {"seed": 1}, 0.71)]  # fmt: skip
    sweep = make_cross_validated_sweep(tmp_path, runs)
    for name in sweep.read_sweep()["runs"]:  # two runs are one configuration
        file = sweep.path / name / "record.json"
        record = json.loads(file.read_text())
        record["config"]["model_id"] = 1 + (record["config"]["learning_rate"] == 0.02)
        file.write_text(json.dumps(record))
    found = Comparison.of(sweep).cross_validated
    assert found.models == [1, 2] and found.repeats == 6
    assert "The chosen model is better than model 2." in say(sweep)


@pytest.mark.parametrize("given_test", [0, 30])
def test_runs_evaluated_in_two_ways_are_compared_on_test_images_alone(tmp_path, given_test):
    sweep = make_cross_validated_sweep(tmp_path, [0.9, 0.5], given_test=given_test)
    file = sweep.path / sweep.read_sweep()["runs"][1] / "record.json"
    record = json.loads(file.read_text())
    record["evaluation"] = {"method": "holdout"}
    record["metrics"].setdefault("test", record["metrics"]["val"])
    file.write_text(json.dumps(record))
    text = say(sweep)
    told = "Some models were cross-validated and others tested on held-out images" in text
    assert told == (not given_test)
    assert ("0.001 is better than 0.002 with this seed" in text) == bool(given_test)
    assert not given_test or "paired test over 30 test images" in text


def test_folds_that_differ_are_not_paired(tmp_path):
    sweep = make_cross_validated_sweep(tmp_path, [0.95, 0.6])
    file = sweep.path / sweep.read_sweep()["runs"][1] / "out_of_fold.csv"
    lines = [line.split(",") for line in file.read_text().splitlines()]
    for line in lines[1:]:
        line[3] = str((int(line[3]) + 1) % 5) if line[0] < "0050" else line[3]
    file.write_text("\n".join(",".join(line) for line in lines) + "\n")
    assert Comparison.of(sweep).cross_validated is None


@pytest.mark.slow
def test_baselines_are_fitted_in_the_folds(tmp_path):
    sweep = make_cross_validated_sweep(tmp_path, [0.95, 0.9], n=40, repeats=2, readable=True)
    compared = Comparison.of(sweep)
    found = compared.baselines
    assert set(found.means) == {MAJORITY, STATISTICS} and not found.problem
    assert found.means[STATISTICS] > 0.9, "bands and blots differ in their statistics"
    values = found.values[STATISTICS]
    assert values.shape == compared.cross_validated.scores.folds.shape
    assert np.isfinite(values).all()
    assert "The chosen model against that: " in say(sweep)


def test_what_would_decide_is_more_than_there_is():
    assert would_decide([449, 1201], 92) == "About 450 to 1300 images would decide"
    assert would_decide([449], 92) == "About 450 images would decide"
    assert "close to the margin" in would_decide([80, 90], 92)
    assert [rounded(n) for n in (7, 99, 101, 1201)] == [7, 99, 110, 1300]


def test_the_answer_comes_first_in_html_and_as_text(tmp_path):
    sweep = make_cross_validated_sweep(tmp_path, list(zip(NETS, (0.95, 0.94, 0.7), strict=True)))
    summary = Summary(sweep.path)
    summary.__dict__["more_images"] = MoreImages(
        (20.0, 40.0), (0.8, 0.9), 50, (20.0, 50.0, 100.0), (0.8, 0.9, 0.95), (0.7, 0.85, 0.9),
        (0.9, 0.95, 0.99), (0.05, 0.03, 0.07),
    )  # fmt: skip
    page, text = summary.answer(), summary.answer_text()
    headings = re.findall(r"<(?:p|div)[^>]*><b style='color:#\w+'>([\w ]+):</b>", page)
    assert headings == ["Use", "How good", "Next", "To predict"] and page.count("<li>") == 3
    assert "How good: about 87 of 92 images right (" in text
    assert f"gellib next UNLABELLED_DIR --runs {sweep.path.as_posix()} chooses" in text
    lines = text.splitlines()
    assert [line.split(":")[0] for line in lines if not line.startswith("  - ")] == headings
    assert sum(line.startswith("  - ") for line in lines) == 3
    assert f"gellib predict IMAGES --runs {sweep.path.as_posix()}" in text
    assert "<b>" not in text and "**" not in page + text and "`" not in page + text
    expected = "with twice as many images, accuracy is expected between 90 % and 99 % (90 % band; "
    assert expected + "the curve is at 90 % now): more images help." in text
    assert summary.figure_names("next") == ["more_images"]
    summary.figure("more_images")
    assert (sweep.path / "figures" / "more_images.png").is_file()


def test_without_its_images_nothing_is_said_of_more(tmp_path):
    sweep = make_cross_validated_sweep(tmp_path, [0.95])
    summary = Summary(sweep.path)
    assert summary.more_images is None
    assert "twice as many" not in summary.answer_text()
    assert summary.section("next") == []


def test_the_answer_tells_of_weights_and_of_subjects_on_both_sides(tmp_path):
    sweep = make_cross_validated_sweep(tmp_path, [0.95])
    file = sweep.path / "01-cv" / "record.json"
    record = json.loads(file.read_text())
    record["weights"]["warning"] = "random weights: accuracy means <little>"
    record["data"]["families"] = {"warning": "19 of 20 test images are near-duplicates of training"}
    file.write_text(json.dumps(record))
    page, text = Summary(sweep.path).answer(), Summary(sweep.path).answer_text()
    assert "<li>random weights: accuracy means &lt;little&gt;" in page
    assert "Careful:\n  - random weights: accuracy means <little>" in text
    assert "\n  - 19 of 20 test images are near-duplicates of training" in text


@pytest.mark.parametrize(
    ("duplicates", "expected"),
    [
        ({"cross_split_pairs": [["a.png", "b.png", 0.0]]}, "1 pair of duplicates in two given"),
        ({"cross_split_pairs": [["a", "b", 0.1], ["c", "d", 0]]}, "2 pairs of duplicates in two"),
        ({"images": 7, "problem": "class 'x' has one group"}, "7 images are duplicates that no"),
        ({"images": 38, "groups": 19, "cross_split_pairs": [], "problem": ""}, ""),
    ],
)
def test_the_answer_tells_of_duplicates_that_a_split_separates(tmp_path, duplicates, expected):
    sweep = make_cross_validated_sweep(tmp_path, [0.95])
    file = sweep.path / "01-cv" / "record.json"
    record = json.loads(file.read_text())
    record["data"]["duplicates"] = duplicates
    file.write_text(json.dumps(record))
    text = Summary(sweep.path).answer_text()
    assert (f"Careful: {expected}" in text) if expected else ("Careful" not in text)


def test_the_answer_of_a_holdout_names_its_test_images():
    compared = make_comparison([{"right": 21}, {"right": 20, "opt_alg": "sgd"}])
    text = find_answer(compared, Path("runs/gel")).text()
    assert "How good: accuracy 95.5 % = 21 of 22 test images; between 78 % and 99 %" in text
    assert "As good: the test images do not tell model 2 from it." in text
    assert "--runs runs/gel" in text
    assert find_answer(make_comparison([{"status": "failed"}]), Path("runs/gel")).html() == ""


@pytest.mark.slow
@pytest.mark.parametrize("given_test", [0, 30])
def test_every_figure_and_table_of_a_cross_validated_sweep(tmp_path, given_test):
    accuracies = list(zip(NETS, (0.95, 0.94, 0.7), strict=True))
    summary = Summary(make_cross_validated_sweep(tmp_path, accuracies, given_test=given_test).path)
    pages = "".join(table.to_html() for table in summary.tables())
    assert "the chosen is" in pages and "against the highest" not in pages
    for name in summary.figure_names():
        if name not in ("best_loss_accuracy", "best_demo_predictions"):
            texts = summary.figure(name).findobj(match=lambda o: hasattr(o, "get_text"))
            said = " ".join(text.get_text() for text in texts)
            assert not re.search("No run has|No finished", said), name
            if not given_test:
                assert "test" not in said.lower(), (name, said)
