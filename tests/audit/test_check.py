"""What a check finds, says and writes; clean sets stay quiet."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from making.folders import make_messy, make_two_classes
from making.images import CHANGES, make_blobs, make_subject_slices, save_png

from gellib import plots
from gellib.audit import check_dataset, report_text, write_groups, write_page
from gellib.audit.shortcut_sentences import sentences
from gellib.audit.shortcuts import NAMES, find_shortcuts
from gellib.cli import main
from gellib.data import load_imageset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def messy(tmp_path_factory):
    return make_messy(tmp_path_factory.mktemp("messy") / "set")


@pytest.fixture(scope="module")
def report(messy):
    return check_dataset(messy)


@pytest.mark.slow
def test_json_keeps_its_contract(messy, report):
    result = CliRunner().invoke(main, ["check", str(messy), "--json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found == json.loads(json.dumps(report.to_dict()))
    assert list(found) == [
        "duplicates", "groups", "keep", "clusters", "shortcuts", "unreadable", "left_out",
        "classes", "notes", "verdict",
    ]  # fmt: skip
    assert found["duplicates"]["exact"] == [["a/00.png", "a/copy.png"]]
    ((first, second, distance),) = found["duplicates"]["near"]
    assert (first, second) == ("a/02.png", "b/near.png") and 0 <= distance <= 0.26
    assert found["groups"] == [["a/00.png", "a/copy.png"], ["a/02.png", "b/near.png"]]
    assert set(found["clusters"]) == {"count", "sizes", "nn_random", "nn_grouped"}
    assert found["clusters"]["count"] == 0 and found["clusters"]["sizes"] == []
    assert {s["name"] for s in found["shortcuts"]} == set(NAMES)
    best = {s["name"]: s for s in found["shortcuts"]}["mode"]
    assert best["auc"] == 1.0 and best["p"] < 0.01
    (bad,) = found["unreadable"]
    assert bad["file"] == "b/broken.png" and bad["reason"]
    assert found["classes"] == {"a": 22, "b": 22}
    words = " ".join(found["verdict"])
    assert "4 images are duplicates in 2 groups" in words
    assert "different labels on one image, such as a/02.png and b/near.png" in words
    assert "The file mode (AUC 1.00" in words and "read as grey, which removes it" in words
    assert "b/broken.png" in words


def test_outliers_are_named_and_are_no_verdict(report):
    assert [o.file for o in report.outliers] == ["a/giant.png"]
    assert "wide (1700 px)" in report.outliers[0].why
    assert "giant" not in " ".join(report.verdict)


def test_text_says_what_was_found(report):
    text = report_text(report)
    for words in ("44 images in 2 classes: a 22, b 22", "a/00.png  =  a/copy.png", "Verdict",
                  "Cannot be read (1)", "the file mode"):  # fmt: skip
        assert words in text, words
    assert text.index("Verdict") < text.index("a/00.png  =  a/copy.png"), "the verdict comes first"
    for width in (80, 100, 120):
        narrow = report_text(report, width=width)
        assert max(map(len, narrow.splitlines())) <= width
        assert narrow.split() == text.split(), "nothing is left out"


@pytest.mark.slow
def test_the_page_holds_its_images(report, tmp_path):
    page = write_page(report, tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    places = [s for s in report.shortcuts if s.high and s.cells is not None]
    assert page.count("data:image/png;base64,") == 5 + len(places)
    assert "b/broken.png" in page and 'src="http' not in page and "<script" not in page
    for sentence in report.verdict:
        assert sentence.split("'")[0][:40] in page


def test_clean_is_quiet_with_status_0(tmp_path):
    result = CliRunner().invoke(main, ["check", str(make_two_classes(tmp_path / "set")), "--json"])
    found = json.loads(result.stdout)
    assert found["verdict"] == [] and result.exit_code == 0
    assert found["duplicates"] == {"exact": [], "near": []} and found["groups"] == []
    text = CliRunner().invoke(main, ["check", str(tmp_path / "set")])
    assert text.exit_code == 0 and "No problem was found." in text.stdout


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_what_cannot_be_looked_at_has_status_2(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(main, ["check", str(tmp_path / folder), "--json"])
    assert result.exit_code == 2
    assert result.stdout == "" and "Expected" in result.stderr


def test_a_set_without_a_readable_image_is_reported(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"no image")
    result = CliRunner().invoke(main, ["check", str(tmp_path), "--json"])
    assert result.exit_code == 1 and len(json.loads(result.stdout)["unreadable"]) == 2


def test_several_labels_and_given_parts(tmp_path):
    rows = ["file,label,split"]
    for i in range(20):
        save_png(tmp_path / f"{i}.png", make_blobs(i))
        rows.append(f"{i}.png,{['x', 'y', 'x|y'][i % 3]},{'test' if i > 15 else 'train'}")
    save_png(tmp_path / "leak.png", CHANGES["resaved"](make_blobs(0)))
    (tmp_path / "labels.csv").write_text("\n".join([*rows, "leak.png,x,test"]))
    report = check_dataset(tmp_path)
    assert report.classes == {"x": 14, "y": 13}
    assert any("two given splits" in sentence for sentence in report.verdict)


@pytest.mark.slow
def test_slices_of_subjects_are_reported_and_grouped(tmp_path):
    pictures, labels, subjects = make_subject_slices(1)
    for i, picture in enumerate(pictures):
        save_png(tmp_path / "set" / "ab"[labels[i]] / f"{i:03d}.png", picture.astype(np.uint8))
    report = check_dataset(tmp_path / "set")
    clusters = report.to_dict()["clusters"]
    assert clusters["count"] >= 16 and sum(clusters["sizes"]) == len(labels)
    assert clusters["nn_random"] > 0.95 and clusters["nn_grouped"] < 0.75
    assert any("is the leak" in sentence for sentence in report.verdict)
    write_groups(report, tmp_path / "set" / "labels.csv")
    grouped = load_imageset(tmp_path / "set")
    names = dict(zip(grouped.table.file, grouped.table.group, strict=True))
    of_subject = [{names[f"{'ab'[labels[i]]}/{i:03d}.png"] for i in np.flatnonzero(subjects == s)}
                  for s in range(20)]  # fmt: skip
    assert all(len(found) == 1 and "" not in found for found in of_subject)
    assert (
        plots.cluster_samples(report.clusters, report.images.root)
        .headline()
        .startswith(f"{clusters['count']} near-duplicate clusters")
    )


@pytest.mark.slow
def test_shortcuts_of_any_shape_are_found_and_noise_is_not():
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    values = rng.normal(size=120)
    facts = {
        "width": np.where(labels == 1, values, values + 4 * np.sign(values)),  # in the middle
        "tint": rng.normal(size=120),
        "mode": np.full(120, "L"),
    }
    found = {s.name: s for s in find_shortcuts(facts, labels)}
    assert found["width"].high and found["width"].auc > 0.7
    assert not found["tint"].high and found["mode"].auc == 0.5
    (sentence,) = sentences([found["width"]])
    assert sentence.startswith("The width (AUC 0.")


@pytest.mark.slow
def test_chance_is_rarely_taken_for_a_shortcut():
    alarms = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        facts = {name: rng.normal(size=50) for name in ("width", "height", "tint", "border")}
        facts["mode"] = rng.choice(["L", "RGB"], 50)
        alarms += any(s.high for s in find_shortcuts(facts, np.arange(50) % 2, seed=seed))
    assert alarms <= 2  # one in a hundred, by the p that is asked for


def test_figures_have_something_in_them(report):
    fig = plots.shortcut_bars(report.shortcuts)
    assert len(fig.axes[0].patches) == len(NAMES)
    assert "0.5 is chance" in fig.axes[0].get_xlabel()
    pairs = report.duplicates.pairs()
    labels = {file: file.split("/")[0] for file in report.images.table["file"]}
    fig = plots.duplicate_pairs(pairs, report.images.root, labels=labels)
    assert len([axes for axes in fig.axes if axes.images]) == 4
    titles = [panel.get_suptitle() for panel in fig.subfigs]
    assert titles[0].endswith("a / b") and titles[1] == "exact, a"
    assert (
        "No image occurs twice"
        in plots.duplicate_pairs([], ".", labels={}).axes[0].texts[0].get_text()
    )


@pytest.mark.real
@pytest.mark.slow
def test_the_mode_of_the_real_gels_is_found(real_data):
    report = check_dataset(real_data / "gel")
    best = {s.name: s for s in report.shortcuts}["mode"]
    assert best.auc > 0.95 and best.p < 0.01
    assert len(report.duplicates.near) == 19 and report.clusters == ()


def test_images_that_a_run_would_not_split_are_said(tmp_path):
    from making.folders import make_files

    make_files(tmp_path, *(f"a/{i}.png" for i in range(9)), "b/1.png")
    report = check_dataset(tmp_path)
    assert any(said.startswith("A run would refuse these images") for said in report.verdict)
