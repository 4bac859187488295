"""The form as a page: what visitors may do and see, and what a browser shows of it."""

import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from types import SimpleNamespace
from urllib.parse import urlsplit

import ipywidgets
import numpy as np
import pytest
from making.images import encode, make_flat_png
from making.sweeps import make_sweep, make_sweep_file
from making.visitors import Visitor, chromium, find_chromium, served
from PIL import Image

from gellib.data.image_files import ImageLimits
from gellib.report.app import server, visitor_form
from gellib.report.app.page_head import page_head
from gellib.report.app.server import AppError, Served, serve
from gellib.report.app.server_log import WorthSaying
from gellib.report.app.visitor_form import READY, VARIABLE, AppLimits, VisitorForm, as_variable
from gellib.report.widgets import UNTRAINED
from gellib.report.widgets import form as form_module
from gellib.runs import SweepFolder
from gellib.training_run.find_runs import PredictorError
from gellib.training_run.prediction import Prediction


@pytest.mark.parametrize(
    "level, text, shown",
    [
        (logging.INFO, "Voilà is running at:\nhttp://127.0.0.1:8866/", True),
        (logging.INFO, "Kernel started: a643f409", False),
        (logging.INFO, "Storing connection files in /tmp/voila_1.", False),
        (logging.WARNING, "Notebook gellib.ipynb is not trusted", False),
        (logging.WARNING, "The websocket_ping_timeout (90000) cannot be longer", False),
        (logging.WARNING, "Permission to listen on port 80 denied", True),
        (logging.ERROR, "Error while preparing the next kernel", True),
    ],
)
def test_the_terminal_shows_the_address_and_what_is_wrong(level, text, shown):
    record = logging.LogRecord("Voila", level, "", 0, text, None, None)
    assert WorthSaying().filter(record) == shown


@pytest.mark.parametrize("ip", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_on_this_machine_no_token_is_needed(tmp_path, ip):
    own = Served(tmp_path, ip=ip).config()["Voila"]
    assert own["ip"] == ip and "token" not in own and "auto_token" not in own
    assert Served(tmp_path, ip=ip, token="x").config()["Voila"]["token"] == "x"


@pytest.mark.parametrize("ip", ["0.0.0.0", "", "::", "192.168.1.7", "lab.example.org", "*"])
def test_elsewhere_a_token_is_needed(tmp_path, ip):
    assert Served(tmp_path, ip=ip).config()["Voila"]["auto_token"] is True
    assert Served(tmp_path, ip=ip, token="x").config()["Voila"]["token"] == "x"


def test_no_code_is_shown_and_idle_kernels_end(tmp_path):
    served = Served(tmp_path, limits=AppLimits(max_mb=5))
    config = served.config()
    own = config["VoilaConfiguration"]
    assert own["strip_sources"] and not own["show_tracebacks"] and own["file_allowlist"] == []
    assert config["MappingKernelManager"]["cull_connected"]
    assert 0 < config["MappingKernelManager"]["cull_idle_timeout"] <= 3600
    largest = config["Voila"]["tornado_settings"]["websocket_max_message_size"]
    assert 5e6 < largest < 7e6


def test_it_says_what_is_missing(tmp_path, monkeypatch):
    with pytest.raises(PredictorError, match="No finished run"):
        serve(Served(tmp_path))
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AppError, match=r"pip install 'gellib\[app\]'"):
        serve(Served(tmp_path))


class FakePredictor:
    """Has the limits of a run, and refuses an image of the name `large`."""

    labels = ("gel", "not_gel")

    def __init__(self, run):
        self.card = {"backbone": "x", "validation": {"none": {"gel_accuracy": 1}, "images": 9}}
        self.record, self.limits, self.name = run.read_record(), ImageLimits(), run.path.name

    def predict(self, sources):
        return [
            Prediction(name, error="too many megapixels")
            if "large" in name
            else Prediction(name, "gel", {"gel": 0.9, "not_gel": 0.1}, self.name)
            for name, _ in sources
        ]


@pytest.fixture
def form(tmp_path, monkeypatch):
    monkeypatch.setattr(visitor_form, "Predictor", FakePredictor)
    sweep = make_sweep(tmp_path / "secret" / "gel", tmp_path / "data")
    return VisitorForm(sweep.path, AppLimits(max_mb=0.01, max_mpx=2))


def uploaded(*files):
    return tuple({"name": name, "content": memoryview(data)} for name, data in files)


def every(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from every(child)


@pytest.mark.slow
def test_a_visitor_cannot_open_paths(tmp_path, monkeypatch):
    """Not even by setting the value of the field that the form had, as a message may."""
    made = []
    real = form_module.path_field
    monkeypatch.setattr(form_module, "path_field", lambda: made.append(real()) or made[-1])
    monkeypatch.setattr(visitor_form, "Predictor", FakePredictor)
    sweep = make_sweep(tmp_path / "secret" / "gel", tmp_path / "data")
    form = VisitorForm(sweep.path)
    (field,) = made
    assert field.comm is None and field not in list(every(form.view))
    kinds = [type(widget) for widget in every(form.view)]
    assert ipywidgets.Text not in kinds and ipywidgets.FileUpload in kinds
    assert "path" not in form.read.value
    image = tmp_path / "a.png"
    image.write_bytes(make_flat_png())
    field.value = str(image)
    assert not form.predictions and not form.sources


@pytest.mark.slow
def test_limits_are_those_of_the_page_where_they_are_lower(form, monkeypatch):
    form.warm_up()
    assert form.predictor.limits == ImageLimits(10_000, 2_000_000)
    monkeypatch.setattr(visitor_form, "load_untrained", lambda: FakePredictor(form.runs[0]))
    form.choose_run(UNTRAINED)
    assert form.predictor.limits == ImageLimits(10_000, 2_000_000)
    assert AppLimits(500, 500).within(ImageLimits(7, 8)) == ImageLimits(7, 8)


@pytest.mark.slow
def test_too_many_bytes_are_refused(form):
    png = make_flat_png()
    form.upload_files(uploaded(("a.png", png), ("b.png", b"x" * 10_000)))
    assert "the limit is 0.01 MB at once" in form.results.value and not form.predictions
    form.upload_files(uploaded(("a.png", png)))
    assert "gel" in form.results.value and form.predictions


@pytest.mark.slow
def test_an_image_that_is_refused_is_not_decoded_for_its_picture(form, monkeypatch):
    from gellib.report.widgets import shown_predictions

    seen = []
    for drawn in ("preview", "thumbnail"):
        monkeypatch.setattr(shown_predictions, drawn, lambda s, *_: seen.append(s) or b"")
    png = make_flat_png()
    form.upload_files(uploaded(("large.png", png), ("small.png", png)))
    assert seen == [("", b""), ("small.png", png)]
    assert form.sources == [("large.png", png), ("small.png", png)]


@pytest.mark.slow
def test_errors_name_no_path(form, tmp_path, caplog):
    def broken(run):
        raise OSError(2, "No such file", str(run.path / "model.safetensors"))

    form._make_predictor, form.predictor = broken, None
    form.upload_files(uploaded(("a.png", make_flat_png())))
    assert "cannot be loaded" in form.results.value
    assert str(tmp_path) not in form.results.value and "secret" not in form.results.value
    assert "model.safetensors" in caplog.text


def damage(run):
    run.predictions.write_text('"')


@pytest.mark.slow
@pytest.mark.parametrize(
    "lose, said",
    [
        (lambda run: run.model.unlink(missing_ok=True), "No trained model is here at the moment"),
        (lambda run: shutil.rmtree(run.path), "No trained model is here at the moment"),
        (lambda run: run.predictions.unlink(missing_ok=True), "Test images cannot be listed"),
        (damage, "Test images cannot be listed"),
        (lambda run: run.predictions.write_text("a,b\n1,2\n"), "Test images cannot be listed"),
        (lambda run: run.record.write_text("{"), "No trained model is here at the moment"),
    ],
)
def test_a_page_comes_though_files_were_lost_since_the_server_started(
    tmp_path, monkeypatch, lose, said, caplog
):
    """A kernel that waits for a visitor starts later than the server, at any moment of a sweep."""
    monkeypatch.setattr(visitor_form, "Predictor", FakePredictor)
    sweep = make_sweep(tmp_path / "secret" / "gel", tmp_path / "data")
    first = sweep.run_folders()[0]
    monkeypatch.setattr(visitor_form, "load_untrained", lambda: FakePredictor(kept))
    record = first.read_record()
    kept = SimpleNamespace(path=first.path, read_record=lambda: record)
    for run in sweep.run_folders():
        lose(run)
    form = VisitorForm(sweep.path)
    form.warm_up()
    shown = "".join(w.value for w in every(form.view) if isinstance(w, ipywidgets.HTML))
    assert said in shown and "secret" not in shown and "secret" in caplog.text
    form.upload_files(uploaded(("a.png", make_flat_png())))
    assert "gel" in form.results.value and form.predictions


# In a browser


def opened(url, seconds=5):
    with urllib.request.urlopen(url, timeout=seconds) as reply:
        return reply.status, reply.url, reply.read().decode()


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secret-place")
    file = make_sweep_file(folder)
    command = [sys.executable, "-m", "gellib", "sweep", file, "-p", "opt_alg", "sgd"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("voila")
    pytest.importorskip("playwright.sync_api")
    if find_chromium() is None:
        pytest.skip("needs Chromium")
    with chromium() as own:
        yield own


@pytest.mark.notebooks
def test_visitors_upload_images_and_see_their_own_predictions_alone(swept, browser):
    image = (swept / "images" / "test" / "dots" / "00.png").read_bytes()
    deep = np.asarray(Image.open(io.BytesIO(image))).astype(np.uint16) * 200
    with served(swept / "small", "--max-mb", "2", "--max-mpx", "1") as (address, said):
        one = Visitor(browser, address)
        one.upload(("first.png", image))
        one.sees("first.png")
        one.sees("dots")
        one.upload(("a.png", image), ("b.tif", encode(Image.fromarray(deep), "TIFF")),
                   ("bad.png", b"no image"))  # fmt: skip
        for text in ("a.png", "b.tif", "not an image"):
            one.sees(text)
        rows = one.page.locator("tbody tr", has_text="cannot be read")
        assert rows.count() == 1 and "bad.png" in rows.first.inner_text()
        one.upload(("many pixels.png", make_flat_png(width=1100, height=1000)))
        one.sees("1.1 megapixels, the limit is 1")
        one.upload(("huge.png", b"x" * 2_500_000))
        one.sees("2.5 MB are too many: the limit is 2 MB at once.")
        one.upload(("again.png", image))
        one.sees("again.png")
        first = re.search(r"predicted by .*(single|multi) head", one.text)[1]
        other = {"single": "multi", "multi": "single"}[first]
        one.page.get_by_label("Model").first.select_option(index=1)
        one.sees(re.compile(f"predicted by .*{other} head"))
        assert "again.png" in one.text
        # What waits for the next visitor has found the models.
        one.waits_for(lambda: said().count(READY) >= 2)
        for run in SweepFolder(swept / "small").run_folders():
            run.model.rename(run.model.with_suffix(".away"))
        one.page.get_by_label("Model").first.select_option(index=0)
        one.sees("the log of the server says why")
        assert "model.safetensors" in said() and "model.safetensors" not in one.text
        for run in SweepFolder(swept / "small").run_folders():
            run.model.with_suffix(".away").rename(run.model)
        two = Visitor(browser, address, width=360)
        two.upload(("mine.png", image))
        two.sees("mine.png")
        assert "again.png" not in two.text and "mine.png" not in one.text
        assert two.page.evaluate("document.documentElement.scrollWidth") <= 360
        for visitor in (one, two):
            shown = visitor.page.content()
            assert "secret-place" not in shown and "show_form" not in shown
            assert not visitor.wrong
            places = {urlsplit(url).netloc for url in visitor.asked} - {""}
            assert places == {urlsplit(address).netloc}
        assert "running at" in said() and "WARNING" not in said()
        with pytest.raises(urllib.error.HTTPError):
            opened(f"{address}voila/files/gellib.ipynb")
        with pytest.raises(urllib.error.HTTPError):
            opened(f"{address}api/kernels")


@pytest.mark.notebooks
def test_without_the_token_there_is_no_page(swept):
    pytest.importorskip("voila")
    with served(swept / "small", "--ip", "0.0.0.0", "--token", "lab secret") as (address, _):
        _, url, text = opened(address)
        assert "/login" in url and "Upload" not in text and "kernelId" not in text
        with pytest.raises(urllib.error.HTTPError, match="403"):
            opened(f"{address}api/kernels/{'0' * 8}-0000-0000-0000-{'0' * 12}/channels")


def test_the_page_checks_sizes_before_anything_is_sent(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, as_variable(tmp_path, AppLimits(2.5, 20)))
    head = page_head()
    assert "At most 2.5 MB at once, and 20 megapixels" in head and "size > 2500000;" in head
    assert str(tmp_path) not in head and not re.search(r"https?:", head)
    assert json.loads(os.environ[VARIABLE])["runs"] == str(tmp_path)
    assert SimpleNamespace(**json.loads(os.environ[VARIABLE])["limits"]).max_mb == 2.5
