"""The page reads pictures in Chromium and Firefox, and predicts as its run does in Chromium.

From a file, without a network.
"""

import base64
import csv
import itertools
import json
import shutil
import time

import numpy as np
import pytest
from click.testing import CliRunner
from making.cells import FORMULAS, PLAIN
from making.firefox import find_firefox, running_firefox
from making.images import encode
from making.models import make_model_run
from making.picture_files import BROKEN, COLOUR, EXACT, NEAR

from gellib.base.spreadsheet import to_cell
from gellib.cli import main
from gellib.data.image_files import BadImageError
from gellib.data.images import read_image
from gellib.models.backbones import Preprocessing
from gellib.models.features import unaugmented_view
from gellib.training_run.prediction import Prediction
from gellib.training_run.predictor import Predictor

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.slow

HOSTILE = '</script><img src=x onerror="alert(1)">'
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="module")
def browser():
    file = shutil.which("chromium") or shutil.which("google-chrome")
    if file is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=file, args=["--no-sandbox", *CAMERA])
        yield launched
        launched.close()


def opened(browser, file, **options):
    """Open a page from its file, offline; returns it, and what went wrong in it or was asked for.

    Waiting functions of playwright evaluate texts, which the page forbids: `until` does not.
    """
    page = browser.new_context(offline=True, **options).new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    own = ("blob:", file.as_uri())
    page.on("request", lambda r: None if r.url.startswith(own) else wrong.append(r.url))
    page.goto(file.as_uri())
    return page, wrong


@pytest.fixture(scope="module", params=["Chromium", "Firefox"])
def opens(request, tmp_path_factory):
    """Open a page from its file, offline; returns it, and what tells what went wrong in it."""
    if request.param == "Firefox":
        pytest.importorskip("websocket")
        if find_firefox() is None:
            pytest.skip("needs Firefox")
        with running_firefox(tmp_path_factory.mktemp("firefox") / "profile") as firefox:
            yield firefox.open
    else:
        browser = request.getfixturevalue("browser")

        def open_file(file):
            page, wrong = opened(browser, file)
            return page, lambda: wrong

        yield open_file


def until(page, expression, seconds=120):
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.02)


# -- reading ------------------------------------------------------------------------------------

READ = """async ([content, facts]) => {
  const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
  try {
    return [...viewOf(await readPicture(new File([bytes], "x"), facts), facts)];
  } catch (error) { return error.message; }
}"""


def facts_of(preprocessing, classes=("a", "b")):
    from gellib.report.export.image_graph import takes_tall_images_down_first

    return {
        "title": classes[0], "classes": list(classes), "exclusive": True, "level": 0.95,
        "unsupported": [],
        "preprocessing": preprocessing.to_dict(), "input": "view_pixels",
        "tall_down_first": takes_tall_images_down_first(),
        "max_bytes": 200_000_000, "max_pixels": 100_000_000,
    }  # fmt: skip


def page_without_model(folder):
    from gellib.report.export.page import render_model_page

    file = folder / "page.html"
    pre = Preprocessing(48, 55, (0.5,), (0.5,))
    file.write_text(render_model_page(facts_of(pre, (HOSTILE, "b")), "<p>card</p>", b"no model"))
    return file


def until_refused(page):
    until(page, "document.getElementById('status').textContent.includes('cannot run')")


@pytest.fixture(scope="module")
def reader(opens, tmp_path_factory):
    """A page with no model, whose functions read pictures."""
    page, wrong = opens(page_without_model(tmp_path_factory.mktemp("reader")))
    until_refused(page)
    assert page.evaluate("document.title") == HOSTILE and not wrong(), "a name is shown, not run"
    return page


@pytest.mark.parametrize("color", ["grey", "rgb"])
def test_pictures_are_read_and_prepared_to_the_bit(reader, color):
    pictures = {name: (content, 0) for name, content in EXACT.items()} | NEAR
    for number, (name, (content, most)) in enumerate(pictures.items()):
        pre = Preprocessing(
            48, 55, (0.5,), (0.5,), ("bilinear", "bicubic")[number % 2], color,
            contrast=("none", "stretch")[number // 2 % 2],
        )  # fmt: skip
        expected = unaugmented_view(read_image(content, color=color), pre)
        given = base64.b64encode(content).decode()
        found = reader.evaluate(READ, [given, facts_of(pre)])
        assert not isinstance(found, str), (name, found)
        difference = np.abs(np.reshape(found, expected.shape) - expected.astype(int))
        assert difference.max() <= most, (name, difference.max(), (difference > most).mean())


def test_broken_files_have_a_reason(reader):
    facts = facts_of(Preprocessing(48, 55, (0.5,), (0.5,)))
    texts = reader.evaluate("texts")
    assert len({frozenset(own) for own in texts.values()}) == 1, "every language says everything"
    for name, (content, reason) in BROKEN.items():
        with pytest.raises(BadImageError):
            read_image(content)
        given = base64.b64encode(content).decode()
        assert reader.evaluate(READ, [given, facts]) == reason, name
        assert all(reason in own for own in texts.values())


# -- what is said and written -------------------------------------------------------------------


def said_by(statement, label):
    """What the page says in English for a statement of a prediction of one label."""
    if statement == label:
        return f"This is {label}."
    if statement == "none of these":
        return "None of these: unlike all that it was trained on."
    if "but unlike" in statement:
        return f"{label}, but unlike the training images of that class: cannot say."
    return f"{statement}."


def test_verdicts_are_the_statements_of_predictions(reader):
    sets = [None, (), ("a",), ("b",), ("a", "b")]
    scores = [None, (0.5, 0.5), (2, 0.5), (0.5, 2), (2, 2)]
    for members, unlike, best in itertools.product(sets, scores, (0, 1)):
        label = "ab"[best]
        expected = Prediction(
            "x.png", label, {"a": 0.5, "b": 0.5}, members=members,
            ood_score=unlike and unlike[best], unlike_all=bool(unlike and min(unlike) > 1),
        )  # fmt: skip
        own = {"label": label, "labels": [label], "members": members, "unlike": unlike,
               "best": best, "name": "x", "probabilities": [0.5, 0.5]}  # fmt: skip
        assert reader.evaluate("own => verdict(own)", own) == said_by(expected.statement, label)
        reader.evaluate("own => showAnswer(own)", own)
        warned = reader.evaluate("$('verdict').className") == "warn"
        assert warned == (not expected.decided), own
        # As the command line does, beside the label.
        note = reader.evaluate("$('set').textContent")
        assert (note == "Unlike the training images.") == (members is None and expected.ood)


def test_verdicts_of_several_labels_are_the_statements(reader):
    said = """own => {
      facts.exclusive = false;
      try { return [verdict(own), setText(own)]; } finally { facts.exclusive = true; }
    }"""
    for members, score in itertools.product([None, (), ("a",), ("a", "b")], [None, 0.5, 2]):
        expected = Prediction(
            "x.png", "a", {"a": 0.7, "b": 0.1}, thresholds={"a": 0.5, "b": 0.5}, members=members,
            ood_score=score, unlike_all=bool(score and score > 1),
        )  # fmt: skip
        own = {"label": "a", "labels": ["a"], "members": members, "best": 0,
               "unlike": score and [score]}  # fmt: skip
        verdict, note = reader.evaluate(said, own)
        assert (note == "Unlike the training images.") == (members is None and expected.ood)
        if expected.statement == "none of these":
            assert verdict == "None of these: unlike all that it was trained on."
        elif expected.statement == "none of the labels":
            assert verdict == "None of the labels."
        else:
            more = f" {expected.statement.replace('possible', 'Possible')}."
            assert verdict == f"This has: a.{more if members else ''}"


def test_a_share_below_one_is_never_shown_as_100_percent(reader):
    for share in (0.9, 0.95, 0.99, 0.994, 0.999, 0.9994, 0.9995, 0.9999, 0.99999, 1 - 1e-12):
        for digits in ("0", "1", "2", "0, 2"):
            assert not reader.evaluate(f"percent({share}, {digits})").startswith("100"), share
    levels = {0.9: "90 %", 0.95: "95 %", 0.995: "99.5 %", 0.999: "99.9 %", 0.9975: "99.75 %"}
    said = """level => {
      const before = facts.level;
      facts.level = level;
      try { return setText({members: ["b"]}); } finally { facts.level = before; }
    }"""
    for level, shown in levels.items():
        assert f"of {shown} of the images" in reader.evaluate(said, level)
    assert reader.evaluate("percent(1)") == "100.0 %"


def test_classes_for_which_nothing_is_promised_are_named(reader):
    said = """([few, name]) => {
      const before = language;
      facts.unsupported = few;
      chooseLanguage(name);
      try { return setText({members: ["b"]}); }
      finally { facts.unsupported = []; chooseLanguage(before); }
    }"""
    for name, spoken in reader.evaluate("texts").items():
        plain = reader.evaluate(said, [[], name])
        for few in (["b"], ["b", "c"]):
            names = spoken["and"].join(few)
            more = spoken["unsupported"].replace("{label}", names)
            assert names in more
            assert reader.evaluate(said, [few, name]) == f"{plain} {more}"


@pytest.mark.parametrize("text", [*FORMULAS, *PLAIN])
def test_cells_are_those_of_other_tables(reader, text):
    quoted = to_cell(text).replace('"', '""')
    assert reader.evaluate("text => cell(text)", text) == f'"{quoted}"'


# -- many pictures ------------------------------------------------------------------------------

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
PREPARE = """colours => {
  facts.preprocessing.color = "rgb";
  facts.classes = ["a", "b"];
  Tensor = class {};
  session = {run: async () => ({probabilities: {data: [0.25, 0.75]}, labels: {data: [0, 1]}})};
  window.release = {};
  window.made = {};
  for (const [name, content] of Object.entries(colours)) {
    const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
    made[name] = new File([bytes], name);
  }
  window.hold = name => {
    const gate = new Promise(resolve => { release[name] = resolve; });
    made[name].arrayBuffer = () => gate.then(() => Blob.prototype.arrayBuffer.call(made[name]));
  };
}"""


@pytest.fixture
def answering(browser, tmp_path):
    """A page whose model says the same of every picture, with pictures of one colour each."""
    page, _ = opened(browser, page_without_model(tmp_path))
    until_refused(page)
    files = {
        name: base64.b64encode(encode(np.full((40, 60, 3), colour, np.uint8))).decode()
        for name, colour in COLOURS.items()
    }
    page.evaluate(PREPARE, files)
    return page


def add(page, *names):
    page.evaluate("names => addFiles(names.map(name => made[name]))", list(names))


def settle(page):
    page.evaluate("() => queue")
    page.evaluate("() => new Promise(resolve => setTimeout(resolve, 100))")


def reopen(page, name):
    """Choose a picture in the table."""
    page.click(f"#table button >> text={name}")


def drawn(page):
    """The colour in the middle of the picture that is drawn; None where there is none."""
    *colour, alpha = page.evaluate(
        "() => [...$('canvas').getContext('2d').getImageData(30, 20, 1, 1).data]"
    )
    names = {colour: name for name, colour in COLOURS.items()}
    return names[tuple(colour)] if alpha else None


def names_of(page):
    return page.evaluate("results.map(result => result.name)")


def test_the_picture_is_that_of_the_verdict(answering):
    page = answering
    add(page, "red", "green", "blue")
    settle(page)
    assert drawn(page) == "blue" == page.inner_text("#name")
    for other in ("green", "white"):
        reopen(page, "blue")
        settle(page)
        assert drawn(page) == "blue"
        page.evaluate("hold('red')")
        reopen(page, "red")
        assert page.inner_text("#name") == "red" and drawn(page) is None, "not that of another"
        if other == "green":
            reopen(page, "green")
        else:
            add(page, "white")
        settle(page)
        page.evaluate("release.red()")
        settle(page)
        assert page.inner_text("#name") == drawn(page) == other
        reopen(page, "red")
        settle(page)
        assert page.inner_text("#name") == drawn(page) == "red"
    reopen(page, "green")
    page.evaluate("hold('red')")
    reopen(page, "red")
    page.click("#clear")
    page.evaluate("release.red()")
    settle(page)
    assert page.is_hidden("#result") and drawn(page) is None


def test_a_file_that_is_gone_shows_no_other_picture(answering):
    page = answering
    add(page, "red", "green")
    settle(page)
    page.evaluate("() => { made.red.arrayBuffer = () => Promise.reject(new Error('gone')); }")
    reopen(page, "red")
    settle(page)
    assert page.inner_text("#name") == "red" and drawn(page) is None
    assert page.inner_text("#verdict") == "This is b."


def fail(page, name):
    page.evaluate(
        f"() => {{ window.before = {name}; {name} = () => {{ throw new Error('full'); }}; }}"
    )


@pytest.mark.parametrize(
    ("name", "error"),
    [("draw", None), ("thumbnailOf", None), ("session.run", "no_answer"), ("viewOf", "no_answer")],
)
def test_what_fails_for_one_picture_costs_no_other(answering, name, error):
    page = answering
    add(page, "red")
    settle(page)
    fail(page, name)
    add(page, "green", "blue")
    settle(page)
    assert page.evaluate("results.map(result => result.error || null)") == [None, error, error]
    assert page.is_hidden("#progress") and page.is_hidden("#stop")
    if name == "draw":
        assert drawn(page) is None
    page.evaluate(f"() => {{ {name} = before; }}")
    add(page, "white")
    settle(page)
    assert names_of(page) == ["red", "green", "blue", "white"]
    assert drawn(page) == page.inner_text("#name") == "white"


def test_what_cannot_go_on_is_said_and_the_next_pictures_are_answered(answering):
    page = answering
    fail(page, "tableRow")
    add(page, "red", "green")
    settle(page)
    assert "cannot run in this browser: full" in page.inner_text("#status")
    assert page.is_hidden("#progress") and page.is_hidden("#stop")
    page.evaluate("() => { tableRow = before; }")
    add(page, "blue")
    settle(page)
    assert names_of(page)[-1] == drawn(page) == "blue"
    assert page.inner_text("#status").startswith("Ready")


@pytest.mark.parametrize("way", ["clear", "stop"])
def test_clear_and_stop_end_all_that_is_begun_and_no_more(answering, way):
    page = answering
    page.evaluate("hold('blue')")
    add(page, "red", "green", "blue", "white")
    until(page, "results.length === 2")
    add(page, "white", "white")
    page.click(f"#{way}")
    add(page, "green")
    page.evaluate("release.blue()")
    settle(page)
    assert names_of(page) == ["red", "green", "green"][2 if way == "clear" else 0 :]
    assert page.is_hidden("#progress") and page.inner_text("#status").startswith("Ready")
    assert drawn(page) == page.inner_text("#name") == "green"


# -- predicting ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    from gellib.report.export import export_page

    folder = tmp_path_factory.mktemp("page ü")
    run = make_model_run(folder, "mobilenet-v3", "single", image_size=96)
    return run, export_page(run.path, folder / "page.html", "fp32")


def test_the_page_predicts_as_its_run(browser, exported, tmp_path):
    run, found = exported
    assert found.difference < 1e-5 and "Content-Security-Policy" in found.file.read_text()
    page, wrong = opened(browser, found.file)
    until(page, "session !== null && !document.getElementById('choose').disabled")
    files = sorted((run.path.parent / "data").rglob("*.png"))[::2]
    (tmp_path / "deep.tif").write_bytes(EXACT["tiff tiles"])
    (tmp_path / "-1+1.png").write_bytes(encode(COLOUR))
    files += sorted(tmp_path.iterdir())
    for name, (content, _) in BROKEN.items():
        (tmp_path / name).write_bytes(content)
    files += [tmp_path / name for name in BROKEN]
    page.set_input_files("#files", [str(file) for file in files])
    until(page, f"results.length === {len(files)} && document.getElementById('stop').hidden")
    results = page.evaluate("results.map(({file, ...own}) => own)")
    statements = page.evaluate("results.map(verdict)")
    predictor = Predictor(run)
    for own, said, expected in zip(results, statements, predictor.predict(files), strict=True):
        assert bool(own.get("error")) == bool(expected.error), own
        if expected.error:
            assert said.startswith("cannot be read: ") and "undefined" not in said
            continue
        assert own["probabilities"] == pytest.approx([*expected.probabilities.values()], abs=1e-4)
        assert own["label"] == expected.label and own["members"] == list(expected.members)
        best = own["probabilities"].index(max(own["probabilities"]))
        assert own["unlike"][best] == pytest.approx(expected.ood_score, abs=5e-3)
        assert said == said_by(expected.statement, expected.label)
    with page.expect_download() as download:
        page.click("#save")
    rows = list(csv.reader(open(download.value.path(), encoding="utf-8-sig")))
    assert len(rows) == len(files) + 1 and rows[0][:2] == ["file", "label"]
    # No row is a formula in a spreadsheet.
    assert any(row[0] == "'-1+1.png" for row in rows)
    assert json.loads(page.evaluate("JSON.stringify(results.map(r => Boolean(r.map)))")).count(True)
    page.click("#camera")
    until(page, "document.querySelector('video').videoWidth > 0")
    page.click("#take")
    until(page, f"results.length === {len(files) + 1}")
    assert page.evaluate("results.at(-1).error") is None
    page.click("#clear")
    assert page.evaluate("results.length") == 0 and not wrong, wrong


def test_the_page_of_the_command_predicts_as_its_run(opens, exported, tmp_path):
    from gellib.evaluation import PredictionSetRule
    from gellib.report.export.description import page_facts

    run, whole = exported
    file = tmp_path / "page.html"
    done = CliRunner().invoke(main, ["export", str(run.path), "--html", str(file)])
    assert done.exit_code == 0 and "outside the browser" in done.output, done.output
    assert "prediction sets for 24" in done.output
    assert "training images for 24" in done.output
    assert file.stat().st_size < 0.8 * whole.file.stat().st_size, "16 bits per weight"
    page, wrong = opens(file)
    until(page, "session !== null && !document.getElementById('choose').disabled")
    assert "outside the browser" in page.evaluate("$('card').textContent")
    files = sorted((run.path.parent / "data").rglob("*.png"))[::3]
    page.set_input_files("#files", [str(file) for file in files])
    until(page, f"results.length === {len(files)}")
    predictor = Predictor(run)
    results = page.evaluate("results.map(({file, ...own}) => own)")
    for own, expected in zip(results, predictor.predict(files), strict=True):
        assert own["probabilities"] == pytest.approx([*expected.probabilities.values()], abs=1e-3)
        assert own["label"] == expected.label and own["members"] == list(expected.members)
        assert own["unlike"][own["best"]] == pytest.approx(expected.ood_score, abs=5e-3)
    assert not wrong()
    assert page_facts(predictor)["unsupported"] == []
    predictor.rule = PredictionSetRule((0.3, 0.05), (24, 5))
    assert page_facts(predictor)["unsupported"] == ["not_gel"]


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "zh"])
def test_every_language_fits_a_phone(browser, exported, language):
    run, found = exported
    phone = {"viewport": {"width": 360, "height": 720}, "locale": language}
    page, wrong = opened(browser, found.file, color_scheme="dark", **phone)
    until(page, "session !== null && !document.getElementById('choose').disabled")
    assert page.evaluate("document.documentElement.lang") == language
    files = sorted((run.path.parent / "data").rglob("*.png"))[:2]
    page.set_input_files("#files", [str(file) for file in files])
    until(page, "results.length === 2")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark == "rgb(22, 24, 27)" and not wrong
    # Everything is reached by the keyboard.
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"language", "choose", "camera", "map", "save", "clear", "SUMMARY"} <= reached


@pytest.mark.real
def test_real_photographs_agree(opens, exported, real_data):
    run, found = exported
    page, wrong = opens(found.file)
    until(page, "session !== null && !document.getElementById('choose').disabled")
    kinds = ("*.jpg", "*.JPG", "*.png", "*.tif*")
    files = sorted(file for kind in kinds for file in real_data.rglob(kind))
    files = files[:: max(1, len(files) // 60)]
    page.set_input_files("#files", [str(file) for file in files])
    until(page, f"results.length === {len(files)}", 300)
    shares = page.evaluate("results.map(r => r.probabilities)")
    for file, own, expected in zip(files, shares, Predictor(run).predict(files), strict=True):
        wanted = [*expected.probabilities.values()]
        # Browser and Pillow decode JPEG to levels that differ by one here and there.
        assert own == pytest.approx(wanted, abs=1e-3), file
        assert np.argmax(own) == np.argmax(wanted) or abs(wanted[0] - 0.5) < 1e-3, file
    assert not wrong()
