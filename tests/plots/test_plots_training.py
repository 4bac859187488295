"""The figures of training show what was written down of it."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from gellib import plots


def class_history(classes, epochs=5):
    rng = np.random.default_rng(0)
    rows = [
        (epoch, split, name, *rng.random(3))
        for epoch in range(1, epochs + 1)
        for split in ("train", "val")
        for name in classes
    ]
    return pd.DataFrame(rows, columns=["epoch", "split", "class", "precision", "recall", "f1"])


@pytest.mark.slow
def test_curves_of_each_class():
    table = class_history(["001", "b"])
    fig = plots.class_curves(table, 3)
    headings = [axes.get_title("left") for axes in fig.axes]
    assert headings[:3] == ["Precision, training", "Recall, training", "F1, training"]
    shown = fig.axes[4].lines[1].get_ydata()  # recall in validation, second class
    wanted = table[(table["split"] == "val") & (table["class"] == "b")]["recall"]
    assert shown == pytest.approx(wanted)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["001", "b"]
    assert list(fig.axes[0].lines[-1].get_xdata()) == [3, 3]
    assert "best epoch: 3" in fig.headline()
    assert "best" not in plots.class_curves(table).headline()
    assert isinstance(plots.class_curves(table.head(0)), Figure)


@pytest.mark.slow
def test_names_of_many_classes_stay_inside():
    fig = plots.class_curves(class_history([f"a rather long name {i}" for i in range(12)]))
    fig.draw_without_rendering()
    box = fig.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= fig.bbox.width
    # No two curves look alike.
    looks = {(li.get_color(), li.get_linestyle(), li.get_marker()) for li in fig.axes[0].lines}
    assert len(looks) == 12


@pytest.mark.slow
def test_the_best_epoch_is_marked_where_there_is_one():
    columns = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
    history = pd.DataFrame({"epoch": [1, 2, 3], **{name: [0.3, 0.2, 0.4] for name in columns}})
    for best, words in ((0, []), (2, ["best epoch: 2"])):
        left, right = plots.loss_accuracy(history, best).axes
        for axes in (left, right):
            names = [text.get_text() for text in axes.get_legend().get_texts()]
            assert names == ["training", "validation", *words]


def test_learning_rate_by_step():
    rates = pd.DataFrame({"step": [1, 2, 3], "epoch": [1, 1, 2], "learning_rate": [0.1, 0.3, 0.2]})
    (axes,) = plots.learning_rate(rates).axes
    assert list(axes.lines[0].get_ydata()) == [0.1, 0.3, 0.2]
    assert isinstance(plots.learning_rate(rates.head(0)), Figure)
