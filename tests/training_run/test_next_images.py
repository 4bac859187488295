"""Which images of a folder are to be labelled next, and which are left out."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from making.images import make_blobs, save_png

from gellib.data.image_files import ImageLimits
from gellib.evaluation import SINGLE_LABEL
from gellib.evaluation.label_savings import Savings
from gellib.report.next_page import write_next_page
from gellib.training_run import next_images as module
from gellib.training_run.next_images import NextImagesError, choose_next
from gellib.training_run.prediction import Prediction


class FakePredictor:
    """Says something else of each file, and reads none whose name begins with `bad`."""

    name, classes, task, limits = "runs/one", ("gel", "not_gel"), SINGLE_LABEL, ImageLimits()

    def __init__(self, labelled: Path, cache: Path) -> None:
        config = {"dataset_dir": str(labelled), "test_dir": "", "cache_dir": str(cache)}
        self.record = SimpleNamespace(config=config)

    def predict_with_features(self, sources, progress=None):
        rng = np.random.default_rng(0)
        found = []
        for source in sources:
            p = float(rng.random())
            if Path(source).name.startswith("bad"):
                found.append(Prediction(source, error="no image"))
            else:
                found.append(Prediction(source, "gel", {"gel": p, "not_gel": 1 - p}, self.name))
        return found, rng.normal(size=(len(sources), 4)).astype(np.float32)


@pytest.fixture
def place(tmp_path):
    for i in range(3):
        for name in ("gel", "not_gel"):
            image = make_blobs(np.random.default_rng([i, len(name)]))
            save_png(tmp_path / "data" / name / f"{i}.png", image)
    for i in range(6):
        save_png(tmp_path / "new" / f"{i}.png", make_blobs(np.random.default_rng(100 + i)))
    return tmp_path


SAVINGS = Savings(20, 253, 60, 100, 0.52, 0.22, 0.015)


@pytest.fixture(autouse=True)
def trials(monkeypatch):
    """What trials on the labelled images gave."""
    monkeypatch.setattr(module, "tried_on_labelled", lambda record: SAVINGS)


def choose(place, n=4, folder="new"):
    return choose_next(FakePredictor(place / "data", place / "cache"), place / folder, n)


def test_images_with_a_label_copies_and_bad_files_are_left_out(place):
    shutil.copy(place / "data" / "gel" / "0.png", place / "new" / "labelled.png")
    shutil.copy(place / "new" / "0.png", place / "new" / "0 copy.png")
    (place / "new" / "bad.png").write_bytes(b"nothing")
    found = choose(place, n=20)
    names = [Path(image.file).name for image in found.images]
    assert len(names) == 6 == len({name[0] for name in names})
    assert found.labelled == 1 and found.found == 9
    assert [Path(file).name for file, _ in found.unreadable] == ["bad.png"]
    (copied,) = [image for image in found.images if image.copies]
    assert {Path(f).name for f in (copied.file, *copied.copies)} == {"0.png", "0 copy.png"}
    said = "; ".join(found.sentences())
    assert "left out: 1 image with a label already" in said
    assert "fewer than the 20 asked for" in said


def test_as_many_as_asked_for_in_a_table_in_json_and_on_a_page(place):
    found = choose(place)
    assert [image.rank for image in found.images] == [1, 2, 3, 4]
    assert [image.reason for image in found.images] == ["uncertain"] * 3 + ["random"]
    assert list(found.table()["file"]) == [image.file for image in found.images]
    assert {"p_gel", "p_not_gel"} <= set(found.table().columns)
    assert len(json.loads(json.dumps(found.to_dict()))["images"]) == 4
    text = write_next_page(found, place / "next.html").read_text(encoding="utf-8")
    assert text.count('<img src="data:image/png;base64,iVBOR') == 4
    assert text.count("<option>not_gel</option>") == 4
    assert "images picked at random may be as good" in text
    assert found.to_dict()["savings"]["reached"] == 0.52


def test_names_cannot_break_the_page(place):
    (place / "new" / "0.png").rename(place / "new" / '0"<b>&.png')
    text = write_next_page(choose(place, 6), place / "next.html").read_text(encoding="utf-8")
    assert "<b>&.png" not in text and "0&#34;&lt;b&gt;&amp;.png" in text


def test_labelled_images_that_are_gone_are_said(place):
    shutil.rmtree(place / "data")
    assert "images with a label already are not left out" in choose(place).sentences()[-1]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (None, "no such folder"),
        ([], "no images in it"),
        (["labelled.png"], "got 1 image, all of which have a label already"),
        (["bad.png"], "got 1 image that cannot be read"),
    ],
)
def test_nothing_to_choose_from_is_refused(place, files, words):
    if files is not None:
        (place / "other").mkdir()
        for name in files:
            shutil.copy(place / "data" / "gel" / "0.png", place / "other" / name)
            if name.startswith("bad"):
                (place / "other" / name).write_bytes(b"nothing")
    with pytest.raises(NextImagesError, match=words):
        choose(place, folder="other")
