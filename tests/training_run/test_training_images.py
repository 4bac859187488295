"""What is known of the images that a model was trained on, when it predicts them again."""

import os
import shutil
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner
from making.folders import make_stripes_and_dots
from making.trained import KINDS, make_images, make_trained_sweep
from test_cross_validated_run import finish

import gellib
from gellib.cli import main
from gellib.report.widgets.shown_predictions import show_predictions
from gellib.training_run.prediction import Prediction
from gellib.training_run.predictor import Predictor
from gellib.training_run.training_images import TrainingImages, note_of, training_note


@pytest.mark.parametrize(
    "trained_on, total, said",
    [
        (0, 0, ""),
        (0, 9, ""),
        (1, 1, "this image was a training image of this model: what it says of it is no test"),
        (1, 3, "1 of 3 images was a training image of this model: what it says of it is no test"),
        (3, 3, "3 of 3 images were training images of this model: what it says of them is no test"),
        (1200, 5000, "1,200 of 5,000 images were training images of this model: what it says of "
         "them is no test"),
    ],
)  # fmt: skip
def test_the_note_counts_images(trained_on, total, said):
    assert note_of(trained_on, total) == said


def test_what_cannot_be_read_is_not_counted():
    found = [
        Prediction("a", "x", {"x": 1.0}, trained_on=True),
        Prediction("b", error="no such file"),
    ]
    assert training_note(found).startswith("this image was a training image")
    assert training_note(found[1:]) == ""


@pytest.mark.parametrize("way", ["as it is", "relative", "link", "bytes", "other", "gone"])
@pytest.mark.parametrize("known", ["contents", "paths"])
def test_an_image_is_known_by_its_content_or_its_place(tmp_path, monkeypatch, known, way):
    import hashlib

    own = tmp_path / "data" / "a.png"
    own.parent.mkdir()
    own.write_bytes(b"one")
    (tmp_path / "copy.png").write_bytes(b"one")
    (tmp_path / "other.png").write_bytes(b"two")
    os.symlink(own, tmp_path / "link.png")
    monkeypatch.chdir(tmp_path)
    images = TrainingImages(
        *(([hashlib.sha256(b"one").hexdigest()],) if known == "contents" else ((), [str(own)]))
    )
    given = {
        "as it is": own,
        "relative": Path("data/a.png"),
        "link": Path("link.png"),
        "bytes": b"one",
        "other": Path("other.png"),
        "gone": tmp_path / "gone.png",
    }[way]
    by_bytes = way == "bytes" and known == "contents"
    assert images.has(given) == (way in ("as it is", "relative", "link") or by_bytes)
    assert images.has(tmp_path / "copy.png") == (known == "contents")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training images")
    return folder, lambda kind: make_trained_sweep(kind, folder).path / "01"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_of_each_kind_of_run_all_but_the_test_images_are_known(trained, tmp_path, kind):
    folder, make = trained
    run, root = make(kind), make_images(KINDS[kind][0], folder)
    predictor = Predictor(run)
    table = predictor.run.read_predictions()
    files, own = [root / file for file in table["file"]], (table["split"] != "test").tolist()
    assert [one.trained_on for one in predictor.predict(files)] == own and any(own)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    copies = [shutil.copy(file, moved / f"{n}.png") for n, file in enumerate(files)]
    known = [one.trained_on for one in predictor.predict(copies)]
    assert known == own
    # A run of an earlier version knows where its images were, and nothing of copies.
    predictor.run.training_images.unlink()
    earlier = Predictor(run)
    assert [one.trained_on for one in earlier.predict(files)] == own
    assert not any(one.trained_on for one in earlier.predict(copies))
    predictor.run.predictions.unlink()
    assert not any(one.trained_on for one in Predictor(run).predict(files))


@pytest.mark.slow
def test_every_way_to_predict_says_it(tmp_path):
    make_stripes_and_dots(tmp_path / "made", train=8, test=3)
    shutil.copytree(tmp_path / "made" / "train", tmp_path / "images")
    more = tmp_path / "made" / "test"
    run, _ = finish(tmp_path / "images", "01-a", extra_train_dir=str(more))
    folder = run.folder.path
    new = shutil.copytree(more, tmp_path / "new")
    note = "were training images of this model"
    predict = ["predict", "--run", str(folder)]
    done = CliRunner().invoke(main, [*predict, str(tmp_path / "images")])
    assert f"Note: 16 of 16 images {note}" in done.stderr and note not in done.stdout
    # Further images were trained on too.
    done = CliRunner().invoke(main, [*predict, str(new), "--json"])
    assert f"Note: 6 of 6 images {note}" in done.stderr
    assert done.stdout.count('"training_image": true') == 6
    page, out = tmp_path / "out.html", tmp_path / "out.csv"
    arguments = [*predict, str(tmp_path / "images"), "--csv", str(out), "--html", str(page)]
    done = CliRunner().invoke(main, arguments)
    assert f"Note: 16 of 16 images {note}" in done.stderr
    assert f"Note: 16 of 16 images {note}" in page.read_text(encoding="utf-8")
    assert out.read_text(encoding="utf-8").count(",True,") >= 16
    model = gellib.load(folder)
    with pytest.warns(UserWarning, match=f"16 of 16 images {note}"):
        assert model.predict(tmp_path / "images")["training_image"].all()
    (tmp_path / "blank.png").write_bytes(_other(next((new / "dots").iterdir())))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not model.predict(tmp_path / "blank.png")["training_image"].any()
    sources = sorted((tmp_path / "images").rglob("*.png"))[:2]
    predictor = Predictor(folder)
    record = predictor.record
    for given, said in ((sources, f"2 of 2 images {note}"), (sources[:1], "This image was")):
        found = predictor.predict(given)
        assert said in show_predictions(found, given, record=record, about="")


def _other(path: Path) -> bytes:
    import io

    from PIL import Image, ImageOps

    buffer = io.BytesIO()
    with Image.open(path) as image:
        ImageOps.invert(image.convert("L")).save(buffer, "PNG")
    return buffer.getvalue()
