"""`gellib check` with the parameters of the runs to come."""

import time

import numpy as np
import pytest
from click.testing import CliRunner
from making.images import random_pixels
from PIL import Image

from gellib.cli import main


@pytest.fixture
def folder(tmp_path):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for n in range(6):
            pixels = random_pixels(40, 50, seed=n + 10 * (label == "b"))
            Image.fromarray(pixels).save(tmp_path / label / f"{n}.png")
    return tmp_path


def check(folder, *more):
    done = CliRunner().invoke(main, ["check", str(folder), *more])
    return done.exit_code, done.output


@pytest.mark.slow
def test_limits_are_those_of_the_runs(folder):
    big = np.zeros((400, 400), np.uint8)
    big[::3] = 200
    Image.fromarray(big).save(folder / "a" / "big.png")
    assert "big.png (" not in check(folder)[1]
    code, output = check(folder, "-p", "max_image_mpx", "0.1")
    assert code == 1 and "1 file cannot be read, such as a/big.png (" in " ".join(output.split())
    assert "made no difference" not in output


@pytest.mark.slow
def test_what_the_check_does_not_look_at_is_said(folder):
    _, output = check(folder, "-p", "color", "rgb", "-p", "image_size", "64")
    assert "stored, so color and image_size made no difference to it" in output


@pytest.mark.parametrize("pair", [("color", "blue"), ("colour", "rgb"), ("image_size", "big")])
def test_wrong_parameters_are_refused(folder, pair):
    code, output = check(folder, "-p", *pair)
    assert code == 2 and pair[0] in output and "Traceback" not in output


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("pretrained_model", "resnet19", "did you mean 'resnet18'?"),
        ("weights", "nowhere.pt", "or an existing file"),
        ("augmentation", "flipp", "got step 'flipp'"),
        ("schedule", "cosin", "cosine"),
        ("trainable", "last:x", "last:x"),
        ("monitor", "val_los", "val_los"),
    ],
)
def test_what_a_run_would_refuse_is_refused_at_once(folder, name, value, words):
    started = time.process_time()
    code, output = check(folder, "-p", name, value)
    assert code == 2 and f"parameter {name!r}: " in output and words in output
    assert "Verdict" not in output and time.process_time() - started < 2


@pytest.mark.slow
def test_copies_of_the_same_pixels_are_not_larger_or_sharper(folder):
    (folder / "a" / "copy.png").write_bytes((folder / "a" / "0.png").read_bytes())
    output = " ".join(check(folder)[1].split())
    assert "a/0.png and a/copy.png (distance 0); they have the same pixels" in output
    assert "a/0.png = a/copy.png" in output and "sharper copy. " not in output
    assert "keep a/" not in output
