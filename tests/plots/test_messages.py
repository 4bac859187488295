"""Where there is nothing to draw, a notebook shows a sentence and no empty figure."""

import numpy as np
import pandas as pd
import pytest

from gellib import plots
from gellib.evaluation import reliability, risk_coverage


def sentence(fig):
    data, _ = fig._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}, "no picture"
    return data["text/plain"]


def test_a_message_is_a_sentence_in_a_notebook_and_text_in_a_figure():
    fig = plots.message("a*b* <i>c</i>", "No 5")
    data, _ = fig._repr_mimebundle_()
    assert data["text/plain"] == "a*b* <i>c</i>"
    assert data["text/html"] == "<p><b>No 5.</b> a*b* &lt;i&gt;c&lt;/i&gt;</p>"
    assert fig.axes[0].texts[0].get_text() == "a*b* <i>c</i>"
    assert sentence(plots.message("Nothing.")) == "Nothing."


@pytest.mark.parametrize("n", [1, 2])
def test_one_epoch_has_no_curve(n):
    epochs = np.arange(1, n + 1)
    history = pd.DataFrame({"epoch": epochs} | {
        f"{split}_{what}": 0.25 for split in ("train", "val") for what in ("loss", "accuracy")
    })  # fmt: skip
    classes = pd.DataFrame(
        [(e, s, "a", 1.0, 1.0, 1.0) for e in epochs for s in ("train", "val")],
        columns=["epoch", "split", "class", "precision", "recall", "f1"],
    )
    figures = plots.loss_accuracy(history), plots.class_curves(classes)
    assert [isinstance(fig, plots.Message) for fig in figures] == [n == 1] * 2
    if n == 1:
        said = sentence(figures[0])
        assert "Loss 0.25 in training, 0.25 on the validation images; accuracy 25.0 %" in said


@pytest.mark.parametrize("wrong", [0, 1])
@pytest.mark.parametrize("n", [1, 18, 200])
def test_without_a_mistake_there_is_nothing_to_calibrate_and_nothing_to_defer(wrong, n):
    truth = np.arange(n) % 2
    p = np.where(np.eye(2)[truth] == 1, 0.9, 0.1)
    p[:wrong] = p[:wrong, ::-1]
    right = p.argmax(axis=1) == truth
    bins = reliability(truth, p)
    record = {"temperature": 0.8, "n_val": n, "n": n, "ece": 0.1, "ece_calibrated": 0.1}
    curve = risk_coverage(p.min(axis=1), right)
    about = {"uncertainty": {"n": n, "samples": 0, "entropy": {"auroc": None}}}
    figures = (
        plots.reliability_diagram(bins, bins, record, where="images out of fold"),
        plots.risk_coverage({"entropy": curve}, about, where="images out of fold"),
    )
    assert [isinstance(fig, plots.Message) for fig in figures] == [not wrong] * 2
    if not wrong:
        for fig in figures:
            assert f"All {n} images out of fold are predicted correctly" in sentence(fig)
        assert ("not calibrated reliably" in sentence(figures[0])) == (n < 100)


def test_maps_of_nothing_are_a_sentence_and_dark_images_are_brightened():
    dark = np.full((1, 32, 32), 10, dtype=np.uint8)
    dark[0, 8:12] = 30
    item = plots.MapShown(dark, np.zeros((3, 3)), "gel", "gel", True)
    assert "In none of 2 images" in sentence(plots.explanations([item] * 2, method="Grad-CAM"))
    fig = plots.explanations([item, item._replace(map=np.eye(3))], method="Grad-CAM")
    left, right = fig.axes[:2]
    assert left.images[0].get_array().max() == 30, "as the network saw it"
    assert right.images[0].get_array().max() == 255
    coloured = [np.ptp(axes.images[0].get_array(), axis=-1).max() for axes in fig.axes[1::2]]
    assert coloured[0] == 0 and coloured[1] > 100, "no colour without weight"
