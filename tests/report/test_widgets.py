"""The prediction form, driven without a browser through the methods that the browser calls."""

import base64
import gc
import io
import re
from collections import Counter
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd
import pytest
from making.hostile import HOSTILE, Found
from making.images import make_flat_png
from making.records import make_cv_record, make_record
from making.sweeps import make_sweep
from PIL import Image

from gellib.config import RunConfig
from gellib.data.image_files import BadImageError
from gellib.data.images import read_image
from gellib.labsim.zeroshot import ZeroShotPrediction
from gellib.report.widgets import (
    MOST_MAPS,
    MOST_SHOWN,
    UNTRAINED,
    PredictWidget,
    preview,
    uploaded_files,
    verdict,
)
from gellib.report.widgets.about_model import about, run_label
from gellib.report.widgets.heat_map import Overlay
from gellib.runs import Record, RunFolder
from gellib.training_run.find_runs import PredictorError
from gellib.training_run.predictor import Prediction, named_source

LOUD = "random weights: accuracy means <little>"


class FakePredictor:
    """Says gel with 97 %, of images that can be read."""

    def __init__(self, run):
        self.run, self.record, self.name = run, run.read_record(), run.path.name

    def predict(self, sources):
        predictions = []
        for number, source in enumerate(sources, start=1):
            name, content = named_source(source, number)
            try:
                read_image(content, name=name)
            except BadImageError as err:
                predictions.append(Prediction(name, error=err.reason))
            else:
                shares = {"gel": 0.97, "not_gel": 0.03}
                predictions.append(Prediction(name, "gel", shares, self.name))
        return predictions


class FakeUntrained:
    """Predicts as `gellib.labsim.zeroshot.ZeroShot` does."""

    labels = ("gel", "not_gel")
    card = {
        "backbone": "resnet18",
        "validation": {"images": 936, "none": {"gel_accuracy": 0.97}},
    }

    def predict(self, sources):
        shares = {"gel": 0.88, "not_gel": 0.12}
        names = [named_source(source, i)[0] for i, source in enumerate(sources)]
        name = "labsim resnet18 (no training)"
        return [ZeroShotPrediction(n, "gel", shares, name, nearest="gel_dim") for n in names]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("widget")
    return make_sweep(folder / "runs" / "gel", folder / "data", failed=(5,), warning=LOUD)


@pytest.fixture
def form(sweep):
    return PredictWidget(
        sweep.path.parent, make_predictor=FakePredictor, make_untrained=FakeUntrained
    )


def png(side=40):
    return make_flat_png(90, width=2 * side, height=side)


def as_7(files):
    return {
        name: {"metadata": {"name": name, "type": "image/png", "size": len(data)}, "content": data}
        for name, data in files
    }


def as_8(files):
    return tuple(
        {"name": name, "type": "image/png", "size": len(data), "content": memoryview(data)}
        for name, data in files
    )


def words(widget):
    """All text below a widget."""
    if isinstance(widget, ipywidgets.HTML):
        return widget.value
    return " ".join(words(child) for child in getattr(widget, "children", ()))


@pytest.mark.parametrize("shape", [as_7, as_8])
def test_uploads_of_both_versions(shape):
    files = [("a.png", b"12"), ("b.png", b"3")]
    assert uploaded_files(shape(files)) == files
    assert uploaded_files(shape([])) == []


@pytest.mark.slow
def test_runs_are_offered_best_first(form, sweep):
    labels = [label for label, _ in form.run_choice.options]
    assert labels.pop() == "no training · gel or not, for a start"
    assert len(labels) == 11
    assert labels[0].endswith(f"on test images · sweep gel · {sweep.best().path.name}")
    shares = [float(label.split(". ")[1].split(" %")[0]) for label in labels]
    assert shares == sorted(shares, reverse=True)
    assert [label.split(".")[0] for label in labels] == [str(i + 1) for i in range(11)]
    assert " % on validation, " in labels[0]


@pytest.mark.parametrize("shape", [as_7, as_8])
@pytest.mark.slow
def test_an_uploaded_image_is_shown_with_its_verdict(form, shape):
    form.upload_files(shape([("<b>mein Gel.png", png())]))
    text = form.results.value
    assert "gel, 97 %" in text and "97.0 %" in text and "3.0 %" in text
    assert "single head" in text or "multi head" in text
    assert "&lt;b&gt;mein Gel.png" in text, "file names are not HTML"
    assert "src='data:image/png;base64,iVBOR" in text
    assert "alt='The image &lt;b&gt;mein Gel.png'" in text
    assert "true class" not in text and "<table" in text


def press(button, name, data):
    """Do what the browser does when a file is chosen."""
    about = {
        "name": name,
        "type": "image/png",
        "size": len(data),
        "last_modified": 1_700_000_000_000,
    }
    if ipywidgets.__version__.startswith("7."):
        about["lastModified"] = about.pop("last_modified")
        button.set_state({"metadata": [about], "data": [memoryview(data)], "_counter": 1})
    else:
        button.set_state({"value": [{**about, "content": memoryview(data)}]})


@pytest.mark.slow
def test_the_same_image_again_works(form):
    for _ in range(2):
        button = form.upload
        form.results.value = ""
        press(button, "a.png", png())
        assert "gel, 97 %" in words(form.results)
        assert form.upload is not button, "a used button keeps its files"
        assert form._bar.children[0] is form.upload


@pytest.mark.slow
def test_an_upload_leaves_no_widget_behind(form):
    """A new button comes for each: it was 2 widgets more, here and in the page."""

    def living():
        gc.collect()
        kinds = (type(one) for one in gc.get_objects())
        return Counter(kind.__name__ for kind in kinds if issubclass(kind, ipywidgets.Widget))

    form.upload_files(as_8([("a.png", png())]))
    before = living()
    assert before["FileUpload"] >= 1 and before["Layout"] >= 1
    for number in range(3):
        form.upload_files(as_8([(f"{number}.png", png())]))
    assert living() == before


def test_a_bad_file_gives_a_message_and_the_others_go_on(form):
    form.upload_files(as_8([("notes.txt", b"hello <world>"), ("a.png", png()), ("empty", b"")]))
    bad, good, empty = table_rows(form)
    assert "notes.txt" in bad and "<b>cannot be read</b>: " in bad
    assert "gel, 97 %" in good
    assert "empty" in empty and "<b>cannot be read</b>: " in empty
    assert "Traceback" not in words(form.view)
    form.upload_files(as_8([("notes.txt", b"hello <world>")]))
    assert "<b>notes.txt</b> cannot be read: " in form.results.value
    assert "role='alert'" in form.results.value


def test_a_test_image_is_picked_and_its_true_class_told(form, sweep):
    names = [name for _, name in form.image_choice.options if name]
    assert len(names) == 22
    for name, sentence in (
        ("test/gel/gel_00.png", "✓ right: the true class is gel"),
        ("test/not_gel/not_gel_00.png", "✗ wrong: the true class is not_gel"),
    ):
        form.image_choice.value = name
        assert sentence in words(form.results)


def test_another_run_predicts_the_image_again(form):
    form.image_choice.value = "test/gel/gel_00.png"
    first = form.predictions
    form.run_choice.value = 3
    assert form.predictions is not first
    assert form.predictions[0].run == form.runs[3].path.name
    assert form.image_choice.value == "test/gel/gel_00.png"


def test_the_form_says_how_good_the_model_is_and_warns(form):
    record = form.runs[0].read_record()
    n = round(record.test["accuracy"] * 22)
    assert f"= {n} of 22 test images, which it had not seen before" in form.about.value
    assert "⚠ random weights: accuracy means &lt;little&gt;" in form.about.value


def test_no_finished_runs_say_which_command_to_run(tmp_path):
    form = PredictWidget(tmp_path / "nothing here", make_untrained=FakeUntrained)
    assert "gellib sweep runs/gel.yaml" in words(form.show())
    # There is one that needs no run.
    assert form.run_choice.value == UNTRAINED and len(form.run_choice.options) == 1
    assert form.image_choice.layout.display == "none"
    form.upload_files(as_8([("a.png", png())]))
    said = words(form.results)
    assert "gel, 88 %" in said and "most like <b>a dim gel</b>" in said
    assert "predicted by labsim resnet18 (no training)" in said


def test_no_training_is_offered_beside_the_runs(form):
    form.image_choice.value = "test/gel/gel_00.png"
    form.run_choice.value = UNTRAINED
    assert "right on 97.0 % of 936 simulated images" in form.about.value
    assert "✓ right: the true class is gel" in words(form.results)
    assert form.image_choice.layout.display == ""
    form.image_choice.value = "test/not_gel/not_gel_00.png"
    assert "✗ wrong: the true class is not_gel" in words(form.results)
    form.run_choice.value = 0
    assert "gel, 97 %" in words(form.results) and "simulated" not in words(form.results)


def test_no_training_is_not_asked_about_other_classes(form):
    form.image_choice.value = "test/gel/gel_00.png"
    form._labels = dict.fromkeys(form._labels, "glioma")
    form.run_choice.value = UNTRAINED
    assert form.image_choice.layout.display == "none" and form.results.value == ""
    form.heat_map.value = True  # of the predictions of the model before it, nothing is drawn
    assert not form.predictions and form.results.value == ""
    form.run_choice.value = 0
    assert form.image_choice.layout.display == ""


def test_shipped_weights_that_cannot_be_loaded_are_a_message(sweep):
    def damaged():
        raise PredictorError("resnet18.safetensors is damaged")

    form = PredictWidget(sweep.path, make_predictor=FakePredictor, make_untrained=damaged)
    form.run_choice.value = UNTRAINED
    assert "cannot be loaded: resnet18.safetensors is damaged" in words(form.view)


def test_a_model_that_cannot_be_loaded_is_a_message(sweep):
    def broken(run):
        raise PredictorError("the model of x is gone")

    form = PredictWidget(sweep.path, make_predictor=broken)
    assert "right on" in form.about.value, "the record says how good it is"
    form.upload_files(as_8([("a.png", png())]))
    assert "cannot be loaded: the model of x is gone" in form.results.value
    assert form.status.value == "" and not form.predictions


@pytest.mark.slow
def test_no_data_set_no_list_of_test_images(tmp_path):
    sweep = make_sweep(tmp_path / "gel", tmp_path / "data")
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    form = PredictWidget(sweep.path, make_predictor=FakePredictor)
    assert form.image_choice.layout.display == "none"


def table_rows(form):
    return re.findall("<tr>.*?(?=<tr><td style='padding:6px|</tbody>)", body(form))


def body(form):
    return form.results.value.partition("<tbody>")[2]


def linked(form, file):
    """What a link of the form saves."""
    (link,) = re.findall(f"download='{file}' href='data:[^,]*;base64,([^']*)'", form.results.value)
    return base64.b64decode(link)


# What Jupyter's server lets through to the browser: 1 MB per second, over 3 seconds.
MOST_BYTES = 3_000_000


@pytest.mark.slow
def test_the_largest_table_comes_through_to_the_browser(form, monkeypatch):
    """Of noise, which compresses least, with as many heat maps as are drawn."""
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (224, 224, 3), np.uint8))
    buffer = io.BytesIO()
    noise.save(buffer, format="PNG")
    monkeypatch.setattr(
        "gellib.report.widgets.form.heat_maps",
        lambda _, sources, *args, **more: [Overlay(noise, "gel", "Grad-CAM")] * len(sources),
    )
    form.heat_map.value = True
    form.upload_files(as_8([(f"{i}.png", buffer.getvalue()) for i in range(MOST_SHOWN)]))
    assert len(table_rows(form)) == MOST_SHOWN
    assert form.results.value.count("alt='Heat map") == MOST_MAPS
    assert len(form.results.value.encode()) < MOST_BYTES


def test_very_many_images_are_not_all_shown(form):
    small = png(8)
    form.upload_files(as_8([(f"{i}.png", small) for i in range(MOST_SHOWN + 3)]))
    assert len(table_rows(form)) == MOST_SHOWN
    assert "3 more are not shown" in form.results.value
    table = pd.read_csv(io.BytesIO(linked(form, "predictions.csv")))
    assert len(table) == MOST_SHOWN + 3 and table["p_gel"].eq(0.97).all()


@pytest.mark.parametrize("name", HOSTILE)
def test_several_images_are_a_table_to_download_and_names_run_nowhere(form, name):
    form.upload_files(as_8([(name, png()), ("=1+1.png", png()), ("é.png", b"no image")]))
    assert form.status.value == ""
    page = linked(form, "predictions.html").decode("utf-8")
    shown = Path(name).name
    for text in (form.results.value, page):
        found = Found(text)
        assert not {*found.unknown} - USED, found.unknown
        assert " ".join(shown.split()) in found.text
    assert body(form) in page and "right on" in page
    table = pd.read_csv(io.BytesIO(linked(form, "predictions.csv")), encoding="utf-8-sig")
    assert list(table.columns[:4]) == ["file", "label", "p_gel", "p_not_gel"]
    assert table["file"].iloc[1] == "'=1+1.png" and table["file"].iloc[2] == "é.png"
    assert table["error"].notna().tolist() == [False, False, True]


# What a table of images has besides the elements of every page.
USED = {
    *("details", "summary", "a", "figure", "figcaption", "img", "th scope"),
    *("a download", "a href", "img src", "img alt"),
}


def test_a_folder_or_file_is_opened_by_its_path(form, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png())
    form.path.value = f'"{tmp_path}"'
    assert [Path(p.file).name for p in form.predictions] == ["a.png", "b.png"]
    form.path.value = str(tmp_path / "a.png")
    assert len(form.predictions) == 1 and "gel, 97 %" in form.results.value
    (tmp_path / "nothing").mkdir()
    form.path.value = str(tmp_path / "nothing")
    assert "No prediction: no images: got" in form.results.value
    # A picked image empties the field, so that the same path can be given again.
    form.image_choice.value = "test/gel/gel_00.png"
    assert form.path.value == "" and "✓ right" in form.results.value


def test_it_says_what_is_waited_for(form):
    seen = []
    form.status.observe(lambda change: seen.append(change["new"]), names="value")
    form.upload_files(as_8([(f"{i}.png", png(8)) for i in range(10)]))
    assert "Loading the model" in seen[0] and "role='status'" in seen[0]
    assert any("<progress value='8' max='10'" in text for text in seen)
    assert seen[-1] == ""


@pytest.mark.parametrize("members", [None, ("gel",), ("gel", "not_gel"), ()])
@pytest.mark.parametrize("score", [None, 0.5, 2.0])
@pytest.mark.parametrize("unlike_all", [False, True])
def test_what_is_not_to_be_relied_on_stands_out(members, score, unlike_all):
    given = Prediction(
        "x.png", "gel", {"gel": 0.97, "not_gel": 0.03}, "r",
        members=members, ood_score=score, unlike_all=unlike_all and score == 2.0,
    )  # fmt: skip
    text = verdict(given, None)
    (largest,) = re.findall("font-size:1.6em[^>]*>([^<]*)<", text)
    if given.ood:
        assert largest == "Do not rely on it" and "most probable: gel, 97 %" in text
    elif members in (None, ("gel",)):
        assert largest == "gel, 97 %"
    else:
        assert largest == given.statement and "most probable: gel, 97 %" in text
    assert ("Prediction set (95 %): " in text) == (members is not None and not given.ood)


def test_preview_is_small():
    data = preview(("big.png", png(900)))
    assert Image.open(io.BytesIO(data)).size == (320, 160)
    assert preview(("x", b"no image")) == b""


def test_verdict_of_many_classes_shows_the_likeliest(form):
    shares = {f"class {i}": i / 465 for i in range(31)}
    text = verdict(Prediction("x.png", "class 30", shares, "r"), form.runs[0].read_record())
    assert text.count("<tr>") == 10
    assert text.index("class 30") < text.index("class 29") and "class 3<" not in text


@pytest.mark.parametrize("made", [make_record, make_cv_record])
def test_what_is_said_of_a_model_is_of_test_images_or_out_of_fold(made, tmp_path):
    record = Record.parse(made(RunConfig(), accuracy=0.8181818))
    text = about(record)
    if made is make_record:
        assert "18 of 22 test images, which it had not seen before" in text
    else:
        assert "18 of 22 images, each predicted by models that were trained without it" in text
    folder = RunFolder(tmp_path / "run")
    folder.write_record(record)
    assert ("out of fold" in run_label(folder, 1)) == (made is make_cv_record)
