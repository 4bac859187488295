"""The summary in words and tables: nothing that the numbers deny."""

import copy
import re

import numpy as np
import pytest
from making.records import make_comparison, make_table
from making.sweeps import make_sweep
from PIL import Image

from gellib.base.files import write_json
from gellib.report.summary import (
    Summary,
    absent_runs,
    conclusions,
    style_table,
    warning_box,
    what_was_run,
)
from gellib.report.summary.cells import by_class_cell
from gellib.report.summary.heading import heading
from gellib.runs import SweepFolder

LOUD = "random weights: accuracy means <little>"


def test_the_weights_warning_cannot_be_overlooked():
    rows = [{"right": 20, "warning": LOUD}, {"right": 15, "warning": LOUD}]
    box = warning_box(make_table(rows))
    assert box.startswith("<blockquote style='border:2px solid")
    assert "<b>Models 1, 2:</b> random weights: accuracy means &lt;little&gt;" in box
    assert "The weights of models 1, 2 carry a warning" in conclusions(make_comparison(rows))[1]
    assert warning_box(make_table([{"right": 20}])) == ""
    seeds = make_table(rows).assign(model_id=1)
    assert "<b>Model 1:</b>" in warning_box(seeds)


def test_style_table_marks_the_best_in_bold_and_formats_shares():
    rows = [{"right": 20}, {"right": 21, "val": 12}, {"status": "failed"}]
    page = style_table(make_comparison(rows)).to_html()
    assert "95.5 %" in page and "Shaded: the model chosen" in page and "78–99 %" in page
    assert page.count("<tr>") == 3, "a heading and the two finished runs"
    bold = re.findall(r"([^}]*)\{\s*font-weight: bold;", page)
    # Row 1 has the highest accuracy; row 0 the highest validation accuracy.
    assert any("models_row1_col2" in rule for rule in bold)
    assert any("models_row0_col1" in rule for rule in bold)
    assert not any("models_row0_col2" in rule for rule in bold)
    tied = style_table(make_comparison([{"right": 20}, {"right": 20, "opt_alg": "sgd"}])).to_html()
    assert "font-weight: bold" not in tied, "what is equal is not marked"


def test_what_all_models_share_is_said_once_and_has_no_column():
    rows = [{"right": 20, "opt_alg": "adam"}, {"right": 18, "opt_alg": "sgd"}]
    page = style_table(make_comparison(rows)).to_html()
    assert "All: hardware cpu, architecture resnet18, head single." in page
    assert ">optimiser</th>" in page and ">hardware</th>" not in page
    assert ">hardware</th>" in style_table(make_comparison(rows[:1])).to_html()


def test_each_class_of_a_confusion_matrix_has_its_name():
    page = style_table(make_comparison([{"right": 20}])).to_html()
    assert "gel 9 of 11\nnot_gel 11 of 11" in page
    assert by_class_cell([[1, 0], [0, 1]], ["a"]) == by_class_cell(None, ["a"]) == "–"


def test_what_a_network_costs_stands_beside_its_score_where_networks_are_compared():
    rows = [{"pretrained_model": "vgg16", "right": 20}, {"pretrained_model": "vgg11", "right": 20}]
    comparison = make_comparison(rows)
    comparison.models["images_per_s"] = [6.25, np.nan]
    comparison.models["parameters"] = [138_357_544, 132_863_336]
    page = style_table(comparison).to_html()
    assert "images per s" in page and ">6.25<" in page and ">138<" in page and ">133<" in page
    same = [{"opt_alg": "adam", "right": 20}, {"opt_alg": "sgd", "right": 20}]
    assert "images per s" not in style_table(make_comparison(same)).to_html()


def test_style_table_without_finished_runs():
    for rows in ([{"status": "failed"}] * 2, []):
        assert "No run has finished." in style_table(make_comparison(rows)).to_html()


def test_an_undefined_auc_is_a_dash():
    comparison = make_comparison([{"right": 20}])
    comparison.models["roc_auc"] = np.nan
    assert "–" in style_table(comparison).to_html()


def test_times_say_where_they_stand_that_features_are_counted_but_shared():
    comparison = make_comparison([{"right": 20}, {"right": 18, "opt_alg": "sgd"}])
    assert "share them" not in style_table(comparison).to_html()
    comparison.models["features_s"] = comparison.done["features_s"] = 3.0
    assert "models with the same network share them" in style_table(comparison).to_html()
    text = "\n".join(conclusions(comparison))
    assert "to train, features included, resnet18" in text and "share them" not in text


def test_times_have_no_exponents():
    rows = [{"right": 20, "training_s": 1234.5}, {"right": 18, "opt_alg": "sgd"}]
    page = style_table(make_comparison(rows)).to_html()
    assert ">1234<" in page and "e+" not in page
    assert "e+" not in "\n".join(conclusions(make_comparison(rows[:1])))


def test_runs_without_a_result_are_one_line_per_reason():
    reason = "no CUDA device: " + "torch was built without it " * 5
    rows = [{"right": 20}, *[{"status": "skipped", "reason": reason}] * 3, {"status": "failed"}]
    text = absent_runs(make_comparison(rows))
    first, second = text.splitlines()
    assert first == f"- **3 runs skipped** (models 2–4): {reason.strip()}."
    assert second.startswith("- **1 run failed** (model 5):")
    assert absent_runs(make_comparison([{"right": 20}])) == ""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    return make_sweep(folder / "gel", folder / "data", failed=(5,), warning=LOUD)


@pytest.mark.slow
def test_what_was_run(sweep):
    text = what_was_run(sweep.read_sweep(), sweep.records())
    assert text.startswith("**Compare 24 configurations on gel images.**")
    assert "24: 11 done, 12 skipped, 1 failed" in text
    assert "gel 6 train + 9 val + 11 test" in text
    assert "Some CPU (x86_64), 2 threads, fp32" in text


@pytest.mark.parametrize(
    ("rows", "info", "expected"),
    [
        ([{"right": 20}, {"right": 18, "opt_alg": "sgd"}], {},
         "Which optimiser distinguishes gel from not_gel best?"),
        ([{"right": 20}, {"right": 18, "opt_alg": "sgd", "classifier_head": "multi"}], {},
         "Which classifier head and optimiser distinguishes gel from not_gel best?"),
        ([{"right": 20}], {}, "How well is gel distinguished from not_gel?"),
        ([{"right": 20}], {"purpose": "Is *this* it?"}, "Is &#42;this&#42; it?"),
    ],
)  # fmt: skip
def test_the_heading_is_the_set_and_the_question(rows, info, expected):
    comparison = make_comparison(rows, info=info)
    for record in comparison.records:
        record.config["dataset_dir"] = "somewhere/my_gels"
    assert heading(comparison) == f"my_gels: {expected}"


@pytest.mark.slow
def test_images_that_are_split_in_several_ways_are_told_in_one_breath(sweep):
    done = [record for record in sweep.records() if record.done]
    other = copy.deepcopy(done[0])
    counts = other.data.counts["gel"]
    counts |= {"train": counts["train"] - 2, "test": counts["test"] + 2}
    text = what_was_run({}, [*done, other])
    assert "split in 2 ways: gel 4–6 train + 9 val + 11–13 test" in text
    assert text.count("**Images:**") == 1 and text.count("train + ") == 2


@pytest.mark.slow
def test_summary_draws_and_keeps_every_figure(sweep):
    summary = Summary(sweep.path)
    top, answer, pictures = summary.opening()
    assert top.data.startswith("# data: Compare 24 configurations on gel images.\n\n<blockquote")
    assert answer.data == summary.answer() and pictures.axes
    assert summary.conclusions().startswith("- ")
    assert sweep.best().path.name in summary.best_model()
    for name in summary.figure_names():
        summary.figure(name)
        assert Image.open(sweep.figures / f"{name}.png").width > 300
    assert len(summary.figure_names()) == 23
    assert "accuracy_by_hardware_type" not in summary.figure_names(), "one value is left"
    assert len(summary.section("models")) == 2, "the single metrics are files alone"
    with pytest.raises(
        ValueError, match="no figure 'nonsense'; there are: best_pictures, metrics, accuracy, "
    ):
        summary.figure("nonsense")


@pytest.mark.slow
def test_the_best_run_of_the_words_is_that_of_the_figures(sweep):
    name = re.search(r"Run \*\*(.+?)\*\*", Summary(sweep.path).best_model()).group(1)
    assert name == sweep.best().path.name


@pytest.mark.slow
def test_summary_of_a_sweep_without_results(tmp_path):
    sweep = make_sweep(tmp_path / "s", tmp_path / "data", failed=range(1, 25))
    summary = Summary(sweep.path)
    assert "no best model" in summary.best_model()
    assert "No run has finished" in summary.opening()[1].data
    assert "24 runs" in summary.opening()[1].data and len(summary.opening()) == 2
    assert summary.figure_names("factors") == summary.figure_names("times") == []
    for name in summary.figure_names():
        assert "No run" in summary.figure(name).axes[0].texts[0].get_text()
    empty = SweepFolder(tmp_path / "empty")
    write_json(empty.sweep, {"name": "empty", "runs": []})
    with pytest.raises(FileNotFoundError, match="has no record of a run.*gellib sweep"):
        Summary(empty.path)
