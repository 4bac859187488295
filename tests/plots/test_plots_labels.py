"""The figures of classes and labels, by what they draw and say."""

import numpy as np
import pytest
from making.folders import list_labelled

from gellib import plots
from gellib.evaluation import MULTILABEL, SINGLE_LABEL

ONE = [0] * 8 + [1] * 24 + [2] * 4
SEVERAL = [(0,)] * 5 + [(0, 1)] * 3 + [(1,)] * 2 + [()]


def make(labels, task, classes=("a", "b $x$", "c")):
    return list_labelled(labels, task, classes)


def widths(axes):
    return [bar.get_width() for bar in axes.containers[0]]


def names(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_imbalance_shows_the_largest_class_first():
    fig = plots.class_imbalance(make(ONE, SINGLE_LABEL))
    (axes,) = fig.axes
    assert widths(axes) == [24, 8, 4]
    assert names(axes.yaxis) == [r"b \$x\$", "a", "c"]
    assert [text.get_text() for text in axes.texts][0] == "24  (66.7 %)"
    assert fig.headline() == "The largest class has 6 times the images of the smallest"
    assert "Always predicting the largest class is right for 66.7 %." in fig.get_supxlabel()
    assert axes.get_xscale() == "linear"


def test_a_class_that_would_vanish_has_a_logarithmic_axis():
    (axes,) = plots.class_imbalance(make([0] * 600 + [1] * 6 + [2] * 90, SINGLE_LABEL)).axes
    assert axes.get_xscale() == "log"
    assert axes.get_xlim()[0] < 6


def test_imbalance_of_several_labels():
    fig = plots.class_imbalance(make(SEVERAL, MULTILABEL, ("a", "b")))
    assert widths(fig.axes[0]) == [8, 5]
    assert "An image has 1.18 labels on average." in fig.get_supxlabel()


def test_co_occurrence_is_the_share_of_the_row():
    axes = plots.co_occurrence(make(SEVERAL, MULTILABEL, ("a", "b"))).axes[0]
    share = np.ma.filled(axes.images[0].get_array(), np.nan)
    assert share[0, 1] == pytest.approx(3 / 8)
    assert share[1, 0] == pytest.approx(3 / 5)
    assert np.isnan(share.diagonal()).all()
    assert names(axes.yaxis) == ["a (8)", "b (5)"]
    assert sorted(text.get_text() for text in axes.texts) == ["38", "60"]


def test_sets_of_labels():
    fig = plots.label_combinations(make(SEVERAL, MULTILABEL, ("a", "b")), most=3)
    assert widths(fig.axes[0]) == [5, 3, 2]
    assert names(fig.axes[0].yaxis) == ["a", "a + b", "b"]
    assert fig.headline() == "4 different sets of labels in 11 images"
    assert "Not shown: 1 rarer sets, 1 images." in fig.get_supxlabel()
    whole = plots.label_combinations(make(SEVERAL, MULTILABEL, ("a", "b")))
    assert names(whole.axes[0].yaxis)[-1] == "no label"


@pytest.mark.parametrize("figure", [plots.co_occurrence, plots.label_combinations])
def test_one_label_an_image_needs_no_such_figure(figure):
    (axes,) = figure(make(ONE, SINGLE_LABEL)).axes
    assert "Each image has one label" in axes.texts[0].get_text()


@pytest.mark.slow
def test_thirty_classes_do_not_overlap():
    rng = np.random.default_rng(0)
    labels = [tuple(sorted({*rng.integers(0, 30, 3).tolist()})) for _ in range(400)]
    images = make(labels, MULTILABEL, tuple(f"a class of a long name {i}" for i in range(30)))
    for figure in (plots.class_imbalance, plots.co_occurrence, plots.label_combinations):
        fig = figure(images)
        fig.draw_without_rendering()
        boxes = [label.get_window_extent() for label in fig.axes[0].get_yticklabels()]
        places = sorted((box.y0, box.y1) for box in boxes)
        overlaps = [low - high for (_, high), (low, _) in zip(places, places[1:], strict=False)]
        assert min(overlaps) > -1, figure.__name__
        assert min(box.x0 for box in boxes) >= 0
