"""Networks that had other kinds of weights are compared together with these, and it is said."""

import json

import pytest
from making.sweeps import make_cross_validated_sweep

import gellib
from gellib.report.comparison import Comparison
from gellib.report.comparison.network_weights import weights_of_networks
from gellib.report.conclusions import conclusions
from gellib.report.summary.answer import find_answer

NETS = tuple({"pretrained_model": net} for net in ("vgg16", "resnet18", "mobilenet-v3"))


pytestmark = pytest.mark.slow


def change_records(sweep, changes):
    for name, change in zip(sweep.read_sweep()["runs"], changes, strict=True):
        file = sweep.path / name / "record.json"
        record = json.loads(file.read_text())
        for part, values in change.items():
            record[part] = {**record.get(part, {}), **values}
        file.write_text(json.dumps(record))


def make(tmp_path, kinds):
    sweep = make_cross_validated_sweep(tmp_path, list(zip(NETS, (0.95, 0.94, 0.7), strict=True)))
    change_records(sweep, [{"weights": {"name": kind}} for kind in kinds])
    return sweep


def test_it_is_said_where_the_weights_differ(tmp_path):
    sweep = make(tmp_path, ["imagenet", "labsim", "labsim"])
    compared = Comparison.of(sweep)
    said = "ImageNet weights for vgg16; weights from simulated images (labsim) for resnet18 and"
    text = "\n".join(conclusions(compared))
    assert said in text and "may be due to the weights" in text
    assert "runs that differ in this setting and in the weights that came with it" in text
    assert "this setting alone" not in text
    careful = [line for head, line in find_answer(compared, sweep.path).lines if head == "Careful"]
    assert any(said in line for line in careful)


@pytest.mark.parametrize("kinds", [["imagenet"] * 3, ["labsim"] * 3, ["none"] * 3])
def test_nothing_is_said_where_they_are_of_one_kind(tmp_path, kinds):
    text = "\n".join(conclusions(Comparison.of(make(tmp_path, kinds))))
    assert "kinds of weights" not in text and "this setting alone" in text


def test_a_grid_over_weights_says_so_itself(tmp_path):
    nets = [{"pretrained_model": "resnet18", "weights": w} for w in ("labsim", "none")]
    sweep = make_cross_validated_sweep(tmp_path, list(zip(nets, (0.9, 0.8), strict=True)))
    change_records(sweep, [{"weights": {"name": kind}} for kind in ("labsim", "none")])
    assert weights_of_networks(Comparison.of(sweep).records) == {}


def test_a_sweep_from_python_names_no_test_images_where_there_are_none(tmp_path):
    sweep = make(tmp_path, ["imagenet"] * 3)
    for shown in (repr(gellib.open_sweep(sweep.path)), gellib.open_sweep(sweep.path)._repr_html_()):
        assert "Chosen by out-of-fold accuracy" in shown and "corrected for being" in shown
        assert "test images" not in shown and "val_accuracy" not in shown
    given = make_cross_validated_sweep(tmp_path / "given", [0.95, 0.7], given_test=40)
    assert "of 40 test images" in repr(gellib.open_sweep(given.path))


@pytest.mark.parametrize(
    ("temperature", "n", "said"),
    [
        (0.7, 253, "are calibrated on 253 images"),
        (1.0, 253, "as the model gives them: no correction fits 253 images better"),
        (1.0, 40, "not calibrated reliably: 40 images are too few"),
    ],
)
def test_probabilities_are_called_calibrated_only_if_they_were(tmp_path, temperature, n, said):
    sweep = make_cross_validated_sweep(tmp_path, [0.95, 0.7])
    own = {"calibration": {"temperature": temperature, "n_val": n}}
    change_records(sweep, [own, own])
    text = "\n".join(conclusions(Comparison.of(sweep)))
    assert said in text and ("are calibrated" in text) == (temperature != 1)
