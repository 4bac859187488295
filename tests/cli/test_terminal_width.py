"""Listings fit the terminal that they are printed in; in a file, each row is whole."""

import json
import sys

import numpy as np
import pytest
from making.commands import gellib, in_terminal

from gellib.base.paths import PROJECT_ROOT
from gellib.cli.predict import _line
from gellib.training_run.prediction import Prediction


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with sweep files of many networks and long purposes, and a cache."""
    folder = tmp_path_factory.mktemp("a project")
    runs = folder / "runs"
    runs.mkdir()
    for name in ("alzheimer", "backbones", "brain_mri", "gel"):
        text = (PROJECT_ROOT / "runs" / f"{name}.yaml").read_text(encoding="utf-8")
        (runs / f"{name}.yaml").write_text(text, encoding="utf-8")
    (runs / "broken.yaml").write_text(f"name: [{'word ' * 40}", encoding="utf-8")
    cache = folder / "cache"
    cache.mkdir()
    for number, what in enumerate(("resnet18 features", "+".join(["timm/network_x"] * 12))):
        np.save(cache / f"{number:040x}.npy", np.zeros(3))
        note = json.dumps({"what": what})
        (cache / f"{number:040x}.json").write_text(note, encoding="utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize(
    "words",
    [("list",), ("weights",), ("weights", "timm/lcnet_100", "vgg16"), ("cache", "--dir", "cache")],
    ids=lambda words: " ".join(words),
)  # fmt: skip
def test_a_listing_fits_the_terminal(project, words, columns):
    status, said = in_terminal(*words, columns=columns, cwd=project)
    assert status in (0, 1) and "Traceback" not in said
    too_long = [line for line in said.splitlines() if len(line) > columns]
    if "Error" not in said:
        assert not too_long
    assert said.strip()


@pytest.mark.slow
def test_a_row_in_a_file_is_whole(project):
    _, said = gellib("list", cwd=project)
    assert (
        "Which of augmentation, sampling, network, head, class weights and optimiser helps" in said
    )
    assert "timm/lcnet_100, shufflenet_v2_x1_0, mobilenet-v3, mnasnet1_0 and 26 more" in said
    _, said = gellib("cache", "--dir", "cache", cwd=project)
    assert "+".join(["timm/network_x"] * 12) in said


@pytest.mark.parametrize(
    "label", ["a", "gel", "x" * 11, "statement of 13", "not_gel or gel: 30 more"]
)
def test_a_statement_of_any_length_keeps_its_gap(label):
    line = _line(Prediction("photo.png", label, {label: 0.9, "other": 0.1}), 12)
    assert f"  {label}  " in f"{line} " and f"  {label} 90.0%" in line
