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
    conclusions,
    skipped_failed,
    style_table,
    warning_box,
    what_was_run,
)
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
    assert any("models_row1_col8" in rule for rule in bold)
    assert any("models_row0_col7" in rule for rule in bold)
    assert not any("models_row0_col8" in rule for rule in bold)


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


def test_times_say_that_features_are_counted_but_shared():
    comparison = make_comparison([{"right": 20}, {"right": 18, "opt_alg": "sgd"}])
    assert "share them" not in "\n".join(conclusions(comparison))
    comparison.done["features_s"] = 3.0
    assert "runs with the same network share them" in "\n".join(conclusions(comparison))


def test_times_have_no_exponents():
    rows = [{"right": 20, "training_s": 1234.5}, {"right": 18, "opt_alg": "sgd"}]
    page = style_table(make_comparison(rows)).to_html()
    assert ">1234<" in page and "e+" not in page
    assert "e+" not in "\n".join(conclusions(make_comparison(rows[:1])))


def test_skipped_failed_gives_the_whole_reason():
    reason = "no CUDA device: " + "torch was built without it " * 5
    rows = [{"right": 20}, {"status": "skipped", "reason": reason}]
    page = skipped_failed(make_comparison(rows)).to_html()
    assert reason in page and "Skipped and failed runs" in page
    assert "Every run has finished." in skipped_failed(make_comparison([{"right": 20}])).to_html()


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
    assert summary.what_was_run().startswith("<blockquote")
    assert summary.conclusions().startswith("- ")
    assert sweep.best().path.name in summary.best_model()
    for name in summary.figure_names():
        summary.figure(name)
        assert Image.open(sweep.figures / f"{name}.png").width > 300
    assert len(summary.figure_names()) == 21
    with pytest.raises(ValueError, match="no figure 'nonsense'; there are: accuracy, "):
        summary.figure("nonsense")


def test_the_best_run_of_the_words_is_that_of_the_figures(sweep):
    name = re.search(r"Run \*\*(.+?)\*\*", Summary(sweep.path).best_model()).group(1)
    assert name == sweep.best().path.name


@pytest.mark.slow
def test_summary_of_a_sweep_without_results(tmp_path):
    sweep = make_sweep(tmp_path / "s", tmp_path / "data", failed=range(1, 25))
    summary = Summary(sweep.path)
    assert "no best model" in summary.best_model()
    for name in summary.figure_names():
        assert "No run" in summary.figure(name).axes[0].texts[0].get_text()
    empty = SweepFolder(tmp_path / "empty")
    write_json(empty.sweep, {"name": "empty", "runs": []})
    with pytest.raises(FileNotFoundError, match="has no record of a run.*gellib sweep"):
        Summary(empty.path)
