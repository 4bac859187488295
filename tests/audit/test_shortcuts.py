"""Shortcuts inside the images: found where they are planted, quiet where they are not, said."""

import json
import re

import numpy as np
import pytest
from benchmarks.shortcuts import PLANTED, Pool, draw_images, find_planted
from making.folders import make_two_classes
from making.images import make_blobs, save_png
from PIL import Image, ImageDraw
from sklearn.model_selection import StratifiedKFold

from gellib.audit import check_dataset, report_text, short_check
from gellib.audit.class_traits import per_class, place_of
from gellib.audit.marks import find_marks, fold_aucs, number_auc, permute
from gellib.audit.page import places_figure, render_page
from gellib.audit.shortcut_sentences import LOOKED_FOR, sentences
from gellib.audit.shortcuts import INSIDE, NAMES, Shortcut
from gellib.data.duplicates.image_traits import CELLS, ImageTraits, measure_traits


@pytest.fixture(scope="module")
def gels():
    return Pool(draw_images(80, seed=7))


# Those that the benchmark finds in nearly all sets at 100 %; docs/check.md has the table.
@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(PLANTED))
def test_what_is_planted_in_all_images_of_a_class_is_found(gels, kind):
    assert any(find_planted(gels, kind, 1.0, seed) for seed in (0, 1)), kind


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        *("date stamp", "watermark", "brightness +8", "brightness +25", "softening, 1 px"),
        *("JPEG quality 30", "vignette"),
    ],
)
def test_most_of_what_is_planted_in_four_fifths_of_a_class_is_found(gels, kind):
    found = [find_planted(gels, kind, 0.8, seed) for seed in range(8)]
    assert sum(map(bool, found)) >= 4, found


@pytest.mark.slow
def test_clean_sets_rarely_alarm(gels):
    alarms = [find_planted(gels, "", 0.0, seed) for seed in range(12)]
    assert sum(map(bool, alarms)) <= 2, alarms


@pytest.mark.parametrize("shape", [(2, 2), (3, 400), (400, 3), (64, 65), (900, 1100)])
def test_images_of_any_shape_have_traits(shape):
    traits = measure_traits(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    assert traits.edges.shape == (CELLS, CELLS)
    assert (len(traits.levels), len(traits.bands), len(traits.grain)) == (22, 9, 8)
    values = np.concatenate([traits.levels, traits.bands, traits.grain, traits.edges.ravel()])
    assert np.isfinite(values).all()


def test_traits_see_what_they_are_named_for():
    rng = np.random.default_rng(0)
    grey = rng.normal(120, 12, (200, 200)).clip(0, 255).astype(np.uint8)
    plain, soft = measure_traits(grey), measure_traits(PLANTED["softening, 1 px"](grey, rng))
    assert (soft.bands[-3:] < plain.bands[-3:] - 2).all() and soft.grain[2] < plain.grain[2]
    grid = measure_traits(PLANTED["JPEG quality 30"](grey, rng))
    assert grid.grain[7] > plain.grain[7] + 0.1
    again = measure_traits(PLANTED["JPEG quality 30"](grey, rng).T.copy())
    assert again.grain[7] > plain.grain[7] + 0.1
    assert abs(soft.grain[7] - plain.grain[7]) < 0.1, "small details are missing in every grid"
    assert (measure_traits(grey + 8).levels[:6] == plain.levels[:6] + 8).all()


def planted_traits(kind, n=40):
    """Traits of n images, the odd ones with what `kind` leaves; class 1 has it but for a few."""
    rng = np.random.default_rng(3)
    traits = []
    for number in range(n):
        ends = np.array([-2, -4, -4, -5, -5, -5, -4, -4, -3, -4, -4, -5, -5, -5, -4, -4.0])
        levels = np.array([0, 0, 0, 240, 250, 255, *ends + rng.normal(0, 0.3, 16)])
        bands, grain = 7 - 0.2 * np.arange(9) + rng.normal(0, 0.2, 9), rng.normal(0, 1, 8)
        edges = rng.lognormal(1, 0.5, (CELLS, CELLS))
        if number % 2:
            levels[:3] += 8 * (kind == "levels")
            if kind == "levels":
                levels[6:10], levels[10:12] = -9, -2
            bands[4:8] -= kind == "sharpness"
            grain[3] += 4 * (kind == "grain")
            grain[7] += 2 * (kind == "compression")
            edges[43:46, 34:46] *= 1 + 2 * (kind == "overlay")
        traits.append(ImageTraits(levels, bands, grain, edges.astype(np.float16)))
    labels = np.arange(n) % 2
    return traits, np.where(np.arange(n) % 20 < 2, 1 - labels, labels)


@pytest.mark.parametrize("kind", ["levels", "sharpness", "grain", "compression", "overlay", ""])
def test_each_kind_is_found_by_its_own_traits(kind):
    traits, labels = planted_traits(kind)
    fold = np.arange(40) // 2 % 5
    marks = find_marks(traits, labels, fold, np.random.default_rng(0))
    found = {mark.name: mark for mark in marks if mark.p <= 0.03}
    assert set(found) == {kind} - {""}
    if kind:
        assert found[kind].auc >= 0.7
    if kind == "overlay":
        assert place_of(np.abs(found[kind].weights)) == "bottom right"


@pytest.mark.parametrize("classes", [2, 3])
def test_the_auc_of_a_number_is_that_of_scikit_learn(classes):
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(classes)
    values, own = rng.normal(size=30).round(1), rng.permutation(np.arange(30) % classes) == 1
    area = roc_auc_score(own, values)
    assert np.isclose(number_auc(values, own), max(area, 1 - area))


def test_the_auc_of_folds_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    labels = rng.permutation(np.arange(40) % 2)
    fold = np.zeros(40, int)
    for place, (_, test) in enumerate(StratifiedKFold(5).split(labels, labels)):
        fold[test] = place
    scores = rng.normal(size=(40, 3)).round(1)
    own = np.stack([labels == 1] * 3, axis=1)
    expected = [np.mean([roc_auc_score(own[fold == f, m], scores[fold == f, m]) for f in range(5)])
                for m in range(3)]  # fmt: skip
    assert np.allclose(fold_aucs(scores, own, fold), expected)
    shuffled = permute(labels, fold, rng)
    assert (np.bincount(shuffled + 2 * fold) == np.bincount(labels + 2 * fold)).all()


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        (slice(42, 48), slice(36, 48), "bottom right"),
        (slice(0, 5), slice(0, 9), "top left"),
        (slice(20, 28), slice(20, 28), "middle"),
        (slice(44, 48), slice(0, 48), "along the bottom"),
        (slice(0, 48), slice(0, 3), "along the left"),
        (slice(0, 48), slice(0, 48), "at several places"),
    ],
)
def test_places_are_named(rows, columns, words):
    weights = np.zeros((CELLS, CELLS))
    weights[rows, columns] = 1
    assert place_of(weights) == words


def test_which_class_has_what_is_said():
    labels = np.array([0, 0, 0, 1, 1, 1])
    kinds = np.array(["PNG", "PNG", "JPEG", "JPEG", "JPEG", "JPEG"])
    assert per_class("file_type", kinds, labels, ["a", "b"]) == "a PNG in 67%, b JPEG in 100%"
    widths = np.array([100.0, 110, 120, 200, 210, 220])
    assert per_class("width", widths, labels, ["a", "b"]) == "median a 110, b 210"
    assert per_class("together", None, labels, ["a", "b"]) == ""


@pytest.mark.parametrize("name", INSIDE)
def test_every_mark_is_asked_about_and_has_advice(name):
    (sentence,) = sentences([Shortcut(name, 0.97, 0.001, "more in a")])
    assert sentence.startswith(NAMES[name][0].upper() + NAMES[name][1:])
    assert "(AUC 0.97, p = 0.001; more in a) alone tell" in sentence
    assert "is that the subject, or how the images were made?" in sentence
    assert len(sentence.split("? ")[1]) > 30  # what to do
    assert sentences([Shortcut(name, 0.97, 0.2)]) == sentences([Shortcut(name, 0.6, 0.001)]) == []


@pytest.fixture(scope="module")
def stamped(tmp_path_factory):
    """Blobs; those of class b have a word at the lower right. Beside them lies a file not read."""
    folder = tmp_path_factory.mktemp("stamped") / "set"
    for i in range(60):
        image = Image.fromarray(make_blobs(i))
        if i % 2:
            place = image.width - 34, image.height - 14
            ImageDraw.Draw(image).text(place, f"LAB{i}", fill=255, stroke_width=1, stroke_fill=0)
        save_png(folder / "ab"[i % 2] / f"{i:02d}.png", np.asarray(image))
    (folder / "a" / "scan.1sc").write_bytes(b"\xaf\xaf" + bytes(60))
    return folder


@pytest.mark.slow
def test_page_and_text_say_what_where_and_how_the_set_was_read(stamped):
    report = check_dataset(stamped)
    found = next(s for s in report.shortcuts if s.high and s.name == "overlay")
    assert found.auc > 0.9 and found.classes == "more in b, bottom right"
    text, page = report_text(report), render_page(report)
    assert "is that the subject" in re.sub(r"\s+", " ", text) and "is that the subject" in page
    (note,) = report.notes
    assert ".1sc" in note and note.split(".")[0] in page
    assert places_figure(report, found).axes[0].get_xlabel() == "mean edges of a"
    assert len(places_figure(report, found).axes[1].patches) >= 10
    entry = next(s for s in report.to_dict()["shortcuts"] if s["name"] == found.name)
    assert entry["classes"] == found.classes


@pytest.mark.slow
def test_the_short_check_is_plain_and_finds_the_same(stamped):
    found = short_check(stamped)
    assert json.loads(json.dumps(found)) == found and found["images"] == 60
    assert "overlay" in {one["name"] for one in found["shortcuts"]}


@pytest.mark.slow
def test_a_clean_verdict_says_what_was_looked_for(tmp_path):
    report = check_dataset(make_two_classes(tmp_path / "set"))
    assert report.verdict == []
    assert LOOKED_FOR in re.sub(r"\s+", " ", report_text(report))
    assert LOOKED_FOR in render_page(report)
