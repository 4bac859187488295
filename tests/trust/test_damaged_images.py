"""Folders of damaged images through the commands, and damaged uploads through the form."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
from making.commands import gellib
from making.damaged_files import DECODER_WORDS, draw_damaged
from making.images import encode
from making.models import make_model_run

from gellib.data.image_files import BadImageError
from gellib.data.images import read_image
from gellib.report.widgets import UNTRAINED, PredictWidget

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
# Whatever a file is called, its first bytes say what it is.
_ENDINGS = (".png", ".jpg", ".gif", ".bmp", ".webp", ".tif")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_model_run(tmp_path_factory.mktemp("model"))


def write_damaged(folder, n) -> dict[str, str]:
    """Write damaged images of two classes; return why each cannot be read, or nothing, by name."""
    reasons = {}
    for number, data in enumerate(draw_damaged(n, n)):
        name = f"{('gel', 'not gel')[number % 2]}/{number:04d}{_ENDINGS[number % 7 % 6]}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        try:
            read_image(folder / name)
            reasons[name] = ""
        except BadImageError as err:
            reasons[name] = err.reason
    return reasons


def test_a_folder_of_damaged_images_is_checked_and_predicted(tmp_path, run, full):
    """Each file has its reason or its prediction, and the terminal has nothing of a decoder."""
    n = 1000 if full else 40
    reasons = write_damaged(tmp_path / "images", n)
    bad = {name for name, reason in reasons.items() if reason}
    assert n / 10 < len(bad) < n * 0.9, "neither kind is tried"
    status, output = gellib("check", tmp_path / "images", "--json", cwd=tmp_path)
    start = output.index("\n{\n") + 1 if not output.startswith("{") else 0
    assert status == 1, output
    found, end = json.JSONDecoder().raw_decode(output[start:])
    said = output[:start] + output[start + end :]
    assert {one["file"]: one["reason"] for one in found["unreadable"]} == {
        name: reasons[name] for name in bad
    }
    status, output = gellib(
        "predict", tmp_path / "images", "--run", run.path, "--csv", tmp_path / "out.csv",
        cwd=tmp_path,
    )  # fmt: skip
    assert status == 1, output
    with open(tmp_path / "out.csv", encoding="utf-8-sig", newline="") as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream)}
    assert {name.split("images/")[-1]: row["error"] for name, row in rows.items()} == reasons
    for row in rows.values():
        shares = [row["p_gel"], row["p_not_gel"]]
        assert bool(row["label"]) != bool(row["error"]) == (shares == ["", ""])
        assert row["error"] or sum(map(float, shares)) == pytest.approx(1, abs=1e-3)
    for word in (*DECODER_WORDS, "Warning"):
        assert word not in said + output, said + output
    print(f"{n} files, {len(bad)} of them cannot be read")


def test_damaged_uploads_through_the_form(run, full):
    """One at a time and several at once, with heat maps, with a run and with the untrained one."""
    n = 200 if full else 12
    form = PredictWidget(run.path)
    whole = encode(np.zeros((20, 20), np.uint8))
    files, refused = [("whole.png", whole)], 0
    for number, data in enumerate(draw_damaged(n, 2 * n)):
        files.append((f"{number:04d}{_ENDINGS[number % 6]}", data))
    for start in range(1, len(files)):
        if start == len(files) // 2:
            form.choose_run(UNTRAINED)
        at_once = [*files[start : start + (1, 1, 5)[start % 3]], files[0]][: start % 2 + 4]
        form.heat_map.value = start % 8 == 0
        form.upload_files(tuple({"name": k, "content": memoryview(v)} for k, v in at_once))
        assert len(form.predictions) == len(at_once) == len(form.sources)
        for (name, data), one in zip(at_once, form.predictions, strict=True):
            try:
                read_image(data, name=name, limits=form.predictor.limits)
                reason = ""
            except BadImageError as err:
                reason = err.reason
            assert (one.file, one.error) == (name, reason) and name in form.results.value
            refused += bool(reason)
        shown = re.sub(r"base64,[^\"']*", "", form.results.value)
        assert not any(word in shown for word in DECODER_WORDS), shown
        assert form.status.value == ""
    assert refused > n / 10
    print(f"{n} files, refused {refused} times")
