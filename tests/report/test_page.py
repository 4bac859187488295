"""The page predicts as its run does: in Chromium, from a file, without a network."""

import base64
import csv
import io
import json
import shutil
import time

import numpy as np
import pytest
import tifffile
from making.images import encode, make_blobs, make_raw_png, random_pixels
from making.models import make_model_run
from PIL import Image

from gellib.data.image_files import BadImageError
from gellib.data.images import read_image
from gellib.models.backbones import Preprocessing
from gellib.models.features import unaugmented_view
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


def until(page, expression, seconds=120):
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.02)


# -- reading ------------------------------------------------------------------------------------


def tiff(pixels, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def deep(*shape, seed=0):
    """Numbers of 16 bits, most of them in a part of their range."""
    rng = np.random.default_rng(seed)
    return (3000 + 9000 * rng.random(shape) ** 3).astype(np.uint16)


def turned_jpeg(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    return encode(make_blobs(3, 61, 87), "JPEG", exif=exif, quality=95)


def pillow_png(mode, **options):
    image = Image.fromarray(random_pixels(45, 60, 4), "RGBA")
    if mode == "P":
        image = image.convert("RGB").quantize(17)
    return encode(image.convert(mode) if mode != "P" else image, "PNG", **options)


def filtered_png(depth, kind, parts):
    """A PNG whose rows have each of the five filters."""
    rows = random_pixels(11, 1 + -(-9 * depth * parts // 8), seed=depth + kind)
    rows[:, 0] = np.arange(11) % 5
    return make_raw_png(9, 11, rows.tobytes(), depth, kind)


GREY, COLOUR = make_blobs(1, 70, 55), random_pixels(53, 77, 3)
EXACT = {
    **{f"png {m}": pillow_png(m) for m in ("1", "L", "LA", "RGB", "RGBA", "P")},
    "png palette with transparency": pillow_png("P", transparency=3),
    "png grey with transparency": pillow_png("L", transparency=100),
    "png colour with transparency": encode(COLOUR // 100 * 100, transparency=(0, 100, 200)),
    "png of an alpha of zeros": encode(
        Image.fromarray(np.dstack([COLOUR, np.zeros(COLOUR.shape[:2], np.uint8)]))
    ),
    "png 16 bits": encode(deep(40, 50)),
    "png 16 bits, bytes in words": encode(deep(40, 50) % 200),
    **{
        f"png {depth} bits of kind {kind}": filtered_png(depth, kind, parts)
        for depth, kind, parts in ((2, 0, 1), (4, 0, 1), (16, 2, 3), (16, 4, 2), (16, 6, 4))
    },
    **{
        f"tiff {c or 'plain'}": tiff(GREY, compression=c) for c in (None, "lzw", "zlib", "packbits")
    },
    **{
        f"tiff 16 bits, {c or 'plain'}, predictor {p}": tiff(
            deep(50, 43), compression=c, predictor=p
        )
        for c, p in ((None, None), ("lzw", None), ("lzw", True), ("zlib", True))
    },
    "tiff big-endian": tiff(deep(31, 45), byteorder=">"),
    "tiff tiles": tiff(deep(70, 90), tile=(32, 48), compression="zlib", predictor=True),
    "tiff strips": tiff(COLOUR, rowsperstrip=7, compression="lzw"),
    "tiff colour": tiff(COLOUR, photometric="rgb"),
    "tiff colour 16 bits": tiff(deep(33, 44, 3), photometric="rgb"),
    "tiff planes": tiff(np.moveaxis(COLOUR, -1, 0), photometric="rgb", planarconfig="separate"),
    "tiff alpha": tiff(random_pixels(30, 40, 4), photometric="rgb", extrasamples=["unassalpha"]),
    "tiff float": tiff(GREY.astype(np.float32) * 1e-3 - 0.05),
    "tiff float with NaN": tiff(np.where(GREY > 200, np.nan, GREY * 0.3).astype(np.float32)),
    "tiff float, predictor": tiff(GREY * np.float32(0.7), compression="zlib", predictor=True),
    "tiff double": tiff(GREY * 0.7),
    "tiff signed": tiff(deep(40, 41).astype(np.int16) - 9000),
    "tiff 32 bits": tiff(deep(40, 41).astype(np.uint32) * 1000),
    "tiff white is zero": tiff(GREY, photometric="miniswhite"),
    "tiff white is zero, 16 bits": tiff(deep(40, 41), photometric="miniswhite"),
    "tiff of one bit": tiff(GREY > 120, photometric="minisblack"),
    "tiff palette": encode(Image.fromarray(COLOUR).quantize(40), "TIFF"),
    "tiff turned": tiff(deep(30, 50), extratags=[(274, "H", 1, 6, True)]),
    "tiff with a thumbnail first": b"",
    "bmp": encode(COLOUR, "BMP"),
    "gif": encode(GREY, "GIF"),
    "tall": encode(random_pixels(300, 71, 3)),
    "wide": encode(random_pixels(71, 300)),
    "small": encode(random_pixels(5, 3)),
}
EXACT["tiff with a thumbnail first"] = tiff(GREY[:20, :20], subfiletype=1)
NEAR = {
    "jpeg": (encode(COLOUR, "JPEG", quality=90), 2),
    "jpeg grey": (encode(GREY, "JPEG"), 0),
    **{f"jpeg turned {n}": (turned_jpeg(n), 0) for n in range(1, 9)},
    "webp": (encode(GREY, "WEBP", lossless=True), 0),
}
BROKEN = {
    "empty.png": (b"", "empty"),
    "text.png": (b"no picture at all", "foreign"),
    "cut.png": (encode(random_pixels(50, 50))[:900], "damaged"),
    "cut.tif": (tiff(deep(50, 50))[:2000], "damaged"),
    "cut lzw.tif": (tiff(deep(50, 50), compression="lzw")[:2000], "damaged"),
    "header.jpg": (b"\xff\xd8\xff\xe0 and no more", "damaged"),
    "nan.tif": (tiff(np.full((9, 9), np.nan, np.float32)), "blank"),
    "complex.tif": (tiff(np.ones((9, 9), np.complex64)), "rare"),
}
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
        "preprocessing": preprocessing.to_dict(), "input": "view_pixels",
        "tall_down_first": takes_tall_images_down_first(),
        "max_bytes": 200_000_000, "max_pixels": 100_000_000,
    }  # fmt: skip


@pytest.fixture(scope="module")
def reader(browser, tmp_path_factory):
    """A page with no model, whose functions read pictures."""
    from gellib.report.export.page import render_page

    file = tmp_path_factory.mktemp("reader") / "page.html"
    pre = Preprocessing(48, 55, (0.5,), (0.5,))
    file.write_text(render_page(facts_of(pre, (HOSTILE, "b")), "<p>card</p>", b"no model"))
    page, wrong = opened(browser, file)
    until(page, "document.getElementById('status').textContent.includes('cannot run')")
    assert page.title() == HOSTILE and not wrong, "a name is shown, and not run"
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
        shown = expected.statement
        if shown == expected.label:
            shown = f"This is {expected.label}"
        elif shown == "none of these":
            shown = "None of these: unlike all that it was trained on"
        elif expected.ood:
            shown = f"{expected.label}, but unlike the training images of that class: cannot say"
        assert said == f"{shown}."
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
def test_real_photographs_agree(browser, exported, real_data):
    run, found = exported
    page, wrong = opened(browser, found.file)
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
    assert not wrong
