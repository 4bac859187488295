"""The figures, by their bars, labels and frames: not by their pixels."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from making.folders import GEL_CLASSES
from making.records import make_table
from making.sweeps import make_sweep
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from gellib import plots
from gellib.evaluation.registry import all_metrics
from gellib.plots.base import ORANGE, PALE, Chart, three_digits
from gellib.plots.sweep import id_ranges


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ein Ordner ü")
    return make_sweep(folder / "gel", folder / "data", failed=(5,))


def texts(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("metric", [m.name for m in all_metrics("single_label") if m.shown])
@pytest.mark.slow
def test_metric_bars_are_the_table(sweep, metric):
    table = sweep.table()
    done = table[table.status == "done"]
    fig = plots.metric_bars(table, metric)
    (axes,) = fig.axes
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx(done[metric].tolist())
    percent = metric not in ("kappa", "mcc")
    wanted = [f"{100 * v:.1f} %" if percent else f"{v:.2f}" for v in done[metric]]
    assert texts(axes) == wanted
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "1  cpu resnet18 single adam"
    assert len(labels) == 11


def test_every_highest_bar_is_marked_and_absent_runs_are_named():
    table = make_table(
        [{"right": 20}, {"right": 21}, {"right": 21}, {"status": "skipped"}, {"status": "failed"}]
    )
    fig = plots.metric_bars(table, "accuracy")
    assert [to_hex(bar.get_facecolor()).upper() for bar in fig.axes[0].patches] == [
        PALE, ORANGE, ORANGE,
    ]  # fmt: skip
    assert fig.get_supxlabel() == (
        "Orange: the 2 highest, all equal. Not shown: 1 skipped (model 4), 1 failed (model 5)."
    )


def test_what_is_equal_is_not_marked():
    fig = plots.metric_bars(make_table([{"right": 20}, {"right": 20}]), "accuracy")
    assert [to_hex(bar.get_facecolor()).upper() for bar in fig.axes[0].patches] == [PALE, PALE]
    assert fig.get_supxlabel() == "All are equal."
    for rows, bold in (([20, 20, 18], 0), ([20, 19, 18], 1)):
        table = make_table([{"right": right} for right in rows])
        for fig in (plots.metric_bars(table, "accuracy"), plots.metric_panels(table)):
            weights = [text.get_fontweight() for text in fig.axes[0].texts]
            assert weights.count("bold") == bold, rows


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [None, 2])
def test_panels_have_the_main_metrics_on_axes_from_where_the_values_are(sweep, chosen):
    table = sweep.table()
    done = table[table.status == "done"]
    fig = plots.metric_panels(table, chosen=chosen)
    assert [axes.get_title(loc="left").split()[0] for axes in fig.axes] == [
        "Accuracy", "Precision", "Recall", "Area",
    ]  # fmt: skip
    for axes, name in zip(fig.axes, ("accuracy", "precision", "recall", "roc_auc"), strict=True):
        (dots,) = (c for c in axes.collections if len(c.get_offsets()))
        assert np.asarray(dots.get_offsets())[:, 0] == pytest.approx(done[name].tolist())
        low, high = axes.get_xlim()
        lowest = done[f"{name}_low"] if f"{name}_low" in done else done[name]
        assert 0 <= low <= lowest.min() and high >= 1
        orange = [to_hex(colour).upper() == ORANGE for colour in dots.get_facecolors()]
        assert [i for i, own in zip(done.model_id, orange, strict=True) if own] == (
            [chosen] if chosen else []
        )
    near = make_table([{"right": 21}, {"right": 22}])
    (axes, *_) = plots.metric_panels(near).axes
    assert axes.get_xlim()[0] > 0.6


def test_a_metric_that_is_undefined_is_absent_and_said():
    table = make_table([{"right": 20}, {"right": 21}])
    table.loc[1, "roc_auc"] = np.nan
    fig = plots.metric_bars(table, "roc_auc")
    assert len(fig.axes[0].patches) == 1
    assert "1 undefined (model 2)" in fig.get_supxlabel()


def test_without_finished_runs_figures_say_so():
    table = make_table([{"status": "skipped"}, {"status": "failed"}])
    for fig in (
        plots.metric_bars(table, "accuracy"),
        plots.metrics_heatmap(table),
        plots.accuracy_by(table, "opt_alg"),
        plots.time_by_architecture(table, "training_time_mins"),
    ):
        assert "No run" in texts(fig.axes[0])[0]
        assert "1 skipped (model 1), 1 failed (model 2)" in texts(fig.axes[0])[0]


@pytest.mark.slow
def test_heatmap_writes_every_value(sweep):
    table = sweep.table()
    done = table[table.status == "done"]
    fig = plots.metrics_heatmap(table)
    written = np.array(texts(fig.axes[0])).reshape(len(done), 5)
    assert written[:, 0].tolist() == [f"{100 * v:.1f} %" for v in done.accuracy]
    assert written[:, 3].tolist() == [f"{100 * v:.1f} %" for v in done.roc_auc]
    assert written[:, 4].tolist() == [f"{100 * v:.1f} %" for v in done.balanced_accuracy]


def test_accuracy_by_shows_every_run_and_the_mean():
    table = make_table(
        [{"right": 20, "opt_alg": "adam"}, {"right": 20, "opt_alg": "adam"},
         {"right": 11, "opt_alg": "sgd"}, {"status": "skipped", "opt_alg": "lamb"}]
    )  # fmt: skip
    (axes,) = plots.accuracy_by(table, "opt_alg").axes
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert sorted(y for line in dots for y in line.get_ydata()) == pytest.approx(
        [0.5, 20 / 22, 20 / 22]
    )
    adam = dots[0].get_xdata()
    assert adam[0] != adam[1], "equal runs must not hide each other"
    assert texts(axes) == ["90.9 %", "50.0 %"]
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ["adam\n2 runs", "sgd\n1 run", "lamb\nno finished run"]


def test_times_are_in_seconds_or_minutes_and_logarithmic_only_when_far_apart():
    near = make_table([{"right": 20, "training_s": 10}, {"right": 20, "training_s": 20}])
    (axes,) = plots.time_by_architecture(near, "training_time_mins").axes
    assert (axes.get_ylabel(), axes.get_yscale()) == ("seconds", "linear")
    assert texts(axes) == ["15"]
    far = make_table(
        [{"right": 20, "training_s": 2400, "hardware_type": "cpu"},
         {"right": 20, "training_s": 6, "hardware_type": "gpu"}]
    )  # fmt: skip
    (axes,) = plots.time_by_architecture(far, "training_time_mins").axes
    assert axes.get_ylabel().startswith("minutes") and axes.get_yscale() == "log"
    assert texts(axes) == ["40", "0.1"]


def test_the_front_of_speed_and_score_is_numbered_without_numbers_on_numbers():
    table = make_table([{"right": right} for right in (18, 20, 20, 22, 19)])
    # Minutes: the second and the third lie nearly on each other, the last is dearer and worse.
    table["training_time_mins"] = [1.0, 2.0, 2.001, 4.0, 4.0]
    table.loc[2, "accuracy"] += 0.002
    axes = plots.pareto(table, "accuracy", "accuracy").axes[0]
    assert texts(axes) == ["1", "2, 3", "4"]
    table["training_time_mins"] = [1.0, 2.0, 2.001, 400.0, 4.0]
    axes = plots.pareto(table, "accuracy", "accuracy").axes[0]
    assert axes.get_xscale() == "log"
    low, high = axes.get_xlim()
    marked = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert {100, 200, 500, 1000, 20_000} <= set(marked)


@pytest.mark.parametrize("count, looks", [(3, 3), (14, 14), (15, 1), (31, 1)])
def test_networks_that_no_legend_tells_apart_look_alike(count, looks):
    table = make_table([{"right": 20, "pretrained_model": f"net{i}"} for i in range(count)])
    fig = plots.pareto(table, "accuracy", "accuracy")
    marks = [line for line in fig.axes[0].lines if line.get_marker() != "None"]
    shown = {(line.get_marker(), line.get_color()) for line in marks}
    assert len(marks) == count and len(shown) == looks
    assert bool(fig.legends) == (looks == count)


def test_loss_accuracy_draws_the_history(sweep):
    history = sweep.run_folders()[0].read_history()
    left, right = plots.loss_accuracy(history).axes
    assert left.lines[0].get_ydata() == pytest.approx(history.train_loss)
    assert left.lines[1].get_ydata() == pytest.approx(history.val_loss)
    assert right.lines[1].get_ydata() == pytest.approx(history.val_accuracy)
    assert [t.get_text() for t in left.get_legend().get_texts()] == ["training", "validation"]
    assert isinstance(plots.loss_accuracy(history.head(1)), Figure)
    assert isinstance(plots.loss_accuracy(history.head(0)), Figure)


def test_confusion_matrix_has_counts_and_shares_of_the_true_class():
    fig = plots.confusion_matrix([[9, 2], [0, 11]], GEL_CLASSES, title="22 test images")
    assert texts(fig.axes[0]) == ["9", "82 %", "2", "18 %", "0", "0 %", "11", "100 %"]
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == list(GEL_CLASSES)
    assert fig.axes[0].get_title() == "22 test images"


def test_confusion_matrix_of_an_absent_class_and_of_many_classes():
    assert "0 %" in texts(plots.confusion_matrix([[3, 0], [0, 0]], GEL_CLASSES).axes[0])
    many = np.eye(28, dtype=int) * 3
    fig = plots.confusion_matrix(many, [f"class {i}" for i in range(28)])
    assert texts(fig.axes[0]) == ["3"] * 28


def test_roc_curve_names_the_positive_class_and_its_area():
    truth = np.array([0, 0, 1, 1])
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.1, 0.9]])
    fig = plots.roc_curve(truth, p, GEL_CLASSES, "gel")
    assert fig.axes[0].get_title("left") == "ROC curve, positive class “gel”: AUC 0.750"
    assert fig.axes[0].get_ylabel() == "true positive rate: share of “gel” found"
    # Of two classes the area is the same seen from either side.
    other = plots.roc_curve(truth, p, GEL_CLASSES, "")
    assert other.axes[0].get_title("left") == "ROC curve, positive class “not_gel”: AUC 0.750"


def test_roc_curve_of_several_classes_and_of_one():
    truth = np.array([0, 1, 2, 0, 1, 2])
    p = np.full((6, 3), 0.1)
    p[np.arange(6), truth] = 0.8
    fig = plots.roc_curve(truth, p, ("a", "b", "c"))
    legend = [text.get_text() for text in fig.axes[0].get_legend().get_texts()]
    assert legend == ["a: AUC 1.000", "b: AUC 1.000", "c: AUC 1.000"]
    assert "mean AUC 1.000" in fig.axes[0].get_title("left")
    one = plots.roc_curve(np.zeros(6, dtype=int), p, ("a", "b", "c"))
    assert "at least two classes" in texts(one.axes[0])[0]


@pytest.mark.slow
def test_demo_predictions_frame_the_mistakes_alone(sweep):
    best = sweep.best()
    predictions = best.read_predictions()
    test = predictions[predictions.split == "test"].sort_values(["label", "file"])
    fig = plots.demo_predictions(predictions, best.read_record().data.root)
    (axes,) = fig.axes
    assert len(axes.images) == len(axes.patches) == 22
    said, below = texts(axes)[::2], texts(axes)[1::2]
    for frame, over, under, (_, row) in zip(
        axes.patches, said, below, test.iterrows(), strict=True
    ):
        wrong = row.label != row.predicted
        assert over.startswith("✗") == wrong
        assert (to_hex(frame.get_edgecolor()) == "#d00000") == wrong
        assert under == f"true: {row.label}"
        assert f"{100 * row['p_' + row.predicted]:.0f} %" in over
    right = int((test.label == test.predicted).sum())
    assert fig.get_suptitle().startswith(f"{right} of 22 test images predicted correctly")


def test_demo_predictions_keep_the_mistakes_when_there_are_too_many_images(tmp_path):
    n = 50
    table = pd.DataFrame(
        {
            "file": [f"{i:02d}.png" for i in range(n)],
            "split": "test",
            "label": "gel",
            "predicted": ["not_gel" if i in (7, 30) else "gel" for i in range(n)],
            "p_gel": 0.5,
            "p_not_gel": 0.5,
        },
        index=range(100, 100 + n),
    )
    fig = plots.demo_predictions(table, tmp_path, limit=12)
    said = texts(fig.axes[0])
    assert len(fig.axes[0].patches) == 12 and sum(t.startswith("✗") for t in said) == 2
    assert fig.get_supxlabel() == "Shown: both mistakes, 10 of the 48 others."
    assert "the file is\nnot there" in said
    one = table.assign(predicted=["not_gel" if i == 7 else "gel" for i in range(n)])
    fig = plots.demo_predictions(one, tmp_path, limit=12)
    assert fig.get_supxlabel() == "Shown: the only mistake, 11 of the 49 others."
    assert "no test images" in texts(plots.demo_predictions(table.head(0), tmp_path).axes[0])[0]


@pytest.mark.slow
def test_demo_predictions_leave_room_for_what_is_right(tmp_path):
    n = 60
    table = pd.DataFrame(
        {
            "file": [f"{i:02d}.png" for i in range(n)],
            "split": "test",
            "label": ["gel" if i % 2 else "not_gel" for i in range(n)],
            "predicted": ["not_gel" if i < 50 else "other" for i in range(n)],
            "p_not_gel": 0.5,
            "p_other": 0.5,
        }
    )
    fig = plots.demo_predictions(table, tmp_path, limit=12)  # 25 right, 35 mistakes
    said = texts(fig.axes[0])[1::3]
    assert sum(text.startswith("✗") for text in said) == 8 and len(said) == 12
    assert fig.get_supxlabel() == "Shown: 8 of the 35 mistakes, 4 of the 25 others."
    few = table[(table.label == table.predicted).cumsum() <= 2]
    fig = plots.demo_predictions(few.reset_index(drop=True), tmp_path, limit=4)
    assert sum(text.startswith("✗") for text in texts(fig.axes[0])[1::3]) == 2


def extents(fig, artists):
    FigureCanvasAgg(fig).draw()
    return [artist.get_window_extent() for artist in artists]


STAGES = ("Mild_Demented", "Moderate_Demented", "Non_Demented", "Very_Mild_Demented")


def test_long_class_names_do_not_run_into_each_other(tmp_path):
    table = pd.DataFrame(
        {
            "file": [f"{i}.png" for i in range(6)],
            "split": "test",
            "label": "Mild_Demented",
            "predicted": "Very_Mild_Demented",
            "p_Mild_Demented": 0.0,
            "p_Very_Mild_Demented": 1.0,
        }
    )
    fig = plots.demo_predictions(table, tmp_path)
    (axes,) = fig.axes
    said = [text for text in axes.texts if text.get_text().startswith("✗")]
    boxes = extents(fig, said)
    assert len(boxes) == 6
    assert all(a.x1 < b.x0 for a, b in zip(boxes, boxes[1:], strict=False))
    fig = plots.confusion_matrix(np.eye(4), STAGES)
    labels = fig.axes[0].get_xticklabels()
    assert {label.get_rotation() for label in labels} == {45}
    fig = plots.confusion_matrix(np.eye(2), ("not_gel", "gel"))
    labels = fig.axes[0].get_xticklabels()
    assert {label.get_rotation() for label in labels} == {0}
    left, right = extents(fig, labels)
    assert left.x1 < right.x0


def test_figures_stay_out_of_pyplot_and_show_themselves_once(sweep, tmp_path):
    before, settings = plt.get_fignums(), dict(plt.rcParams)
    fig = plots.metric_bars(sweep.table(), "accuracy")
    assert plt.get_fignums() == before and dict(plt.rcParams) == settings
    data, about = fig._repr_mimebundle_()
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).mode == "P"
    assert data["text/plain"] == "Accuracy on the test images, by model"
    # Those who do not see the figure have its note, too.
    assert about["image/png"]["alt"] == f"{data['text/plain']}. {fig.get_supxlabel()}"


@pytest.mark.slow
def test_save_writes_the_format_of_the_name_and_leaves_nothing_else(sweep, tmp_path):
    fig = plots.loss_accuracy(sweep.run_folders()[0].read_history())
    for name, start in (("a.png", b"\x89PNG"), ("b.svg", b"<?xml"), ("c.pdf", b"%PDF")):
        path = plots.save(fig, tmp_path / "neu" / name)
        assert path.read_bytes().startswith(start)
    assert len(list((tmp_path / "neu").iterdir())) == 3


def test_id_ranges():
    assert id_ranges([13, 14, 15, 1, 2, 7]) == "1, 2, 7, 13–15"


def test_a_chart_is_drawn_once_for_file_and_notebook_and_again_when_it_changes(
    tmp_path, monkeypatch
):
    drawn = []
    real = plots.Chart._draw
    monkeypatch.setattr(plots.Chart, "_draw", lambda fig, dpi: drawn.append(dpi) or real(fig, dpi))
    fig = plots.Chart(figsize=(4, 2))
    axes = fig.subplots()
    plots.save(fig, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as file, Image.open(io.BytesIO(fig.png())) as shown:
        assert file.size == (600, 300)
        assert shown.size == (360, 180)
        assert (np.asarray(file.convert("L")) < 255).mean() > 0.01
        # The same image but for its size: as dark, on average.
        means = [np.asarray(image.convert("L"), float).mean() for image in (file, shown)]
        assert means[0] == pytest.approx(means[1], abs=1)
    assert drawn == [150]
    before = fig.png()
    axes.set_title("changed")
    assert fig.png() != before
    assert len(drawn) == 2


@pytest.mark.parametrize("size", [(6.4, 4.8), (14.4, 3.9), (7.013, 3.337), (11.1, 3.3)])
@pytest.mark.parametrize("dpi", [90, 150])
@pytest.mark.slow
def test_a_rendered_figure_is_as_matplotlib_draws_it(size, dpi):
    fig = Chart(figsize=size)
    fig.subplots().plot([0, 1], [0, 1], color="black", linewidth=6)
    ours = np.asarray(fig.render(dpi).convert("L"), dtype=float)
    buffer = io.BytesIO()
    Figure.savefig(fig, buffer, format="png", dpi=dpi, facecolor="white")
    theirs = np.asarray(Image.open(buffer).convert("L"), dtype=float)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).mean() < 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.06481, "0.0648"), (17.72, "17.7"), (7093.0, "7093"), (1e10, "1e10"), (2.2294e11, "2.2e11")],
)
def test_numbers_stay_short(value, text):
    assert three_digits(value) == text


def test_many_classes_stand_in_panels_below_each_other():
    values = {name: np.full((2, 9), 0.5) for name in ("precision", "recall", "f1")}
    for count, columns in ((4, 3), (9, 1)):
        shown = {name: array[:, :count] for name, array in values.items()}
        names = [f"class {i}" for i in range(count)]
        fig = plots.class_scores(["1 a", "2 b"], shown, names, "test")
        panels = [axes for axes in fig.axes if axes.images]
        assert {axes.get_gridspec().ncols for axes in panels} == {columns}
        assert [axes.get_title(loc="left") for axes in panels] == ["precision", "recall", "F1"]
