"""The figures of a data set, by what they draw and say."""

import numpy as np
import pytest
from making.folders import make_awkward
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from gellib import plots
from gellib.data import inspect_images, load_imageset
from gellib.data.splits import split_imageset


@pytest.fixture
def weird(tmp_path):
    return make_awkward(tmp_path / "my géls {new} é")


def widths(axes):
    return [[bar.get_width() for bar in bars] for bars in axes.containers]


def tick_labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def captions(fig):
    return [axes.get_xlabel() for axes in fig.axes if axes.get_xlabel()]


def test_class_counts(weird):
    (axes,) = plots.class_counts(weird).axes
    assert widths(axes) == [[7, 4]]
    assert axes.get_title("left") == "11 images in 2 classes"
    assert axes.get_legend() is None
    assert tick_labels(axes.yaxis)[0] == r"5\$ to 9\$"
    assert len(tick_labels(axes.yaxis)[1]) == 32


def test_class_counts_of_splits(weird):
    parts = split_imageset(weird)
    (axes,) = plots.class_counts(parts).axes
    assert widths(axes) == parts.counts().T.values.tolist()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "training",
        "validation",
        "test",
    ]
    assert len({bars[0].get_facecolor() for bars in axes.containers}) == 3


def test_image_sizes(weird):
    infos = inspect_images(weird)
    (axes,) = plots.image_sizes(infos).axes
    points, other = axes.lines[:2]
    assert sorted(zip(*points.get_data(), strict=True)) == sorted(
        [(40 + i, 30 + i) for i in range(5)] + [(40 + i, 30 + i) for i in range(4)]
    )
    assert list(zip(*other.get_data(), strict=True)) == [(64, 48)]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["PNG (9)", "JPEG (1)"]
    assert tick_labels(axes.xaxis) == tick_labels(axes.yaxis)


def test_image_sizes_when_all_are_one(weird):
    infos = [info for info in inspect_images(weird) if info.width == 64]
    (axes,) = plots.image_sizes(infos).axes
    assert axes.get_title("left") == "All images are 64 x 48 pixels"
    assert tick_labels(axes.xaxis)
    bad = [info for info in inspect_images(weird) if info.reason]
    (axes,) = plots.image_sizes(bad).axes
    assert [text.get_text() for text in axes.texts] == ["No image can be read."]


def test_image_kinds(weird):
    (axes,) = plots.image_kinds(inspect_images(weird)).axes
    assert tick_labels(axes.yaxis) == ["PNG  L  8 bit", "JPEG  RGB  8 bit", "cannot be read"]
    assert widths(axes) == [[9, 1, 1]]
    (axes,) = plots.image_kinds([]).axes
    assert [text.get_text() for text in axes.texts] == ["There are no images."]


@pytest.mark.slow
def test_sample_grid(weird):
    fig = plots.sample_grid(weird, per_class=8)
    assert len(fig.axes) == 16
    assert len(captions(fig)) == 11
    assert len(set(captions(fig)[:7])) == 7
    assert r"broken \$.jpg" in captions(fig)
    (bad,) = [axes for axes in fig.axes if axes.texts]
    assert bad.texts[0].get_text().startswith("not an image (starts\nwith")
    assert not bad.images
    assert fig.axes[0].get_ylabel() == "5\\$ to 9\\$\n(7)"
    assert sum(len(axes.images) for axes in fig.axes) == 10
    with pytest.raises(ValueError, match="^per_class: got 0, expected 1 or more$"):
        plots.sample_grid(weird, per_class=0)


def test_sample_grid_shows_the_images(weird):
    photo = weird.table.path.str.endswith("photo.jpg")
    Image.new("RGB", (400, 100), (250, 10, 10)).save(weird.table.path[photo].iloc[0], "JPEG")
    fig = plots.sample_grid(weird, per_class=7)
    axes = next(axes for axes in fig.axes if axes.get_xlabel() == "photo.jpg")
    pixels = np.asarray(axes.images[0].get_array())
    assert pixels.shape == (240, 240, 3)  # made smaller, its proportions kept
    assert np.abs(pixels[120, 120].astype(int) - (250, 10, 10)).max() < 8
    assert pixels[10, 120].tolist() == [0xF4] * 3


@pytest.mark.slow
def test_sample_depends_on_the_seed_alone(weird):
    first = captions(plots.sample_grid(weird, per_class=3, seed=1))
    assert first == captions(plots.sample_grid(weird, per_class=3, seed=1))
    assert first != captions(plots.sample_grid(weird, per_class=3, seed=2))


@pytest.mark.slow
def test_several_labels_are_in_each_of_their_rows(tmp_path):
    for i in range(4):
        Image.new("L", (8, 8), i).save(tmp_path / f"{i}.png")
    (tmp_path / "labels.csv").write_text("file,label\n0,a|b\n1,a\n2,b\n3,b\n")
    images = load_imageset(tmp_path)
    assert sorted(captions(plots.sample_grid(images, per_class=4))) == sorted(
        f"{name}.png" for name in "010" + "23"
    )
    (axes,) = plots.class_counts(images).axes
    assert widths(axes) == [[2, 3]]


@pytest.mark.slow
def test_figures_leave_pyplot_alone_and_can_be_drawn(weird):
    infos = inspect_images(weird)
    figures = [
        plots.class_counts(weird),
        plots.image_sizes(infos),
        plots.image_kinds(infos),
        plots.sample_grid(weird, per_class=2),
    ]
    assert plt.get_fignums() == []
    for fig in figures:
        assert isinstance(fig, Figure)
        data, _ = fig._repr_mimebundle_()
        assert data["image/png"]
