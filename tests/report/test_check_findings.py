"""What the check found stands beside the scores, for the images that the runs were on."""

import json

import pytest
from making.records import make_comparison

from gellib.report.summary.check_findings import read_check_findings
from gellib.runs import SweepFolder


def finding(name, label, auc=1.0, removed=False):
    return {"name": name, "label": label, "auc": auc, "p": 0.001, "classes": "",
            "removed_by_grey": removed}  # fmt: skip


MODE = finding("mode", "the file mode", removed=True)
STAMP = finding("overlay", "edges at one place", 0.97)
SIZE = finding("height", "the height", 0.8)


def say(tmp_path, shortcuts, *, color="grey", fingerprint="", rows=None):
    entry = {"dataset_dir": "my <images>", "test_dir": "", "fingerprint": fingerprint, "images": 60,
             "shortcuts": shortcuts}  # fmt: skip
    (tmp_path / "check.json").write_text(json.dumps([entry]))
    comparison = make_comparison(rows or [{"right": 22}, {"right": 20}])
    for record in comparison.records:
        record.config.update(dataset_dir="my <images>", color=color)
    found = read_check_findings(SweepFolder(tmp_path), comparison)
    return [*found.careful, *found.other]


def test_what_reaches_the_network_stands_beside_the_score(tmp_path):
    first, second = say(tmp_path, [STAMP, MODE, SIZE])
    assert first.startswith("**The accuracy is 100.0 %, but edges at one place (AUC 0.97) and the "
                            "height (AUC 0.80) alone tell the classes apart:")  # fmt: skip
    assert "'my &lt;images&gt;' --html" in first
    assert second == ("The file mode (AUC 1.00) alone tells the classes apart; these runs read the "
                      "images as grey, which removes it.")  # fmt: skip


def test_in_colour_the_file_mode_reaches_the_network(tmp_path):
    (sentence,) = say(tmp_path, [MODE], color="rgb")
    assert "100.0 %, but the file mode (AUC 1.00) alone tells the classes apart" in sentence


def test_of_many_the_best_three_are_named(tmp_path):
    names = ("width", "height", "border", "aspect", "bytes_per_pixel")
    found = [finding(name, f"the {name}", 0.7 + i / 50) for i, name in enumerate(names)]
    (sentence,) = say(tmp_path, found)
    assert "the bytes_per_pixel (AUC 0.78), the aspect (AUC 0.76), the border" in sentence
    assert (
        "and 2 more alone tell the classes apart in part: is" in sentence
        and "the width" not in sentence
    )


@pytest.mark.parametrize(
    "given",
    [
        {"shortcuts": [], "fingerprint": "the images have changed"},
        {"shortcuts": [STAMP], "fingerprint": "the images have changed"},
        {"shortcuts": [STAMP], "rows": [{"status": "failed"}]},
        {"shortcuts": [{"name": "of another version"}]},
    ],
)
def test_nothing_is_said_where_nothing_holds(tmp_path, given):
    assert say(tmp_path, **given) == []


def test_a_check_without_findings_says_so(tmp_path):
    (sentence,) = say(tmp_path, [])
    assert (
        sentence == "no property of the files alone tells the classes apart (60 images looked at)."
    )


@pytest.mark.parametrize("content", ["", "{", "{}", "null"])
def test_a_damaged_check_is_none(tmp_path, content):
    (tmp_path / "check.json").write_text(content)
    assert SweepFolder(tmp_path).read_check() == []
    assert not any(read_check_findings(SweepFolder(tmp_path), make_comparison([{"right": 22}])))
    (tmp_path / "check.json").unlink()
    assert SweepFolder(tmp_path).read_check() == []
