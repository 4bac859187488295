"""Folders that may be read and not be written to, one at a time: it works, or one sentence says so.

Each command runs as an ordinary user (without root's right to write everywhere), with a home, a
temporary folder and a cache of its own.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from making.commands import as_ordinary_user, gellib
from making.folders import make_stripes_and_dots
from making.places import read_only_disk, without_right

from gellib.sweeps.new_project import make_project

pytestmark = [
    pytest.mark.notebooks,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="rights of Linux"),
]
_SWEEP = """
name: small
purpose: Does it work?
params:
  dataset_dir: {images}
  cache_dir: {cache}
  image_size: 32
  num_epochs: 2
  batch_size: 4
  weights: none
  explain: false
"""


KINDS = {"no right": without_right, "read-only disk": read_only_disk}
# By place, the commands that write there and so are refused, and what the sentence names.
REFUSED = {
    "project": {"sweep": "runs/small", "quick": "runs/start-quick", "new": "another"},
    "project/runs": {"sweep": "runs/small", "quick": "runs/start-quick"},
    "images": {"partition": "images"},
    "cache": {"sweep": "cache"},
    "temporary": {},
    "home": {},
}


def make_place(folder: Path) -> Path:
    """Make a project, images, and folders for cache, home and what is temporary."""
    for name in ("cache", "temporary", "home"):
        (folder / name).mkdir(parents=True)
    make_stripes_and_dots(folder / "images")
    make_project(folder / "project")
    text = _SWEEP.format(images=folder / "images", cache=folder / "cache")
    (folder / "project" / "runs" / "small.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished sweep, which is nowhere in the places that are closed."""
    place = make_place(tmp_path_factory.mktemp("finished"))
    words = ["sweep", "runs/small.yaml", "--jobs", "1", "--no-summary"]
    status, output = gellib(*words, cwd=place / "project")
    assert status == 0, output
    return place / "project" / "runs" / "small"


def check_sentence(output: str, named: str) -> None:
    """Why, where and what to do: once at the end, or once for each run that failed by it."""
    why = re.compile("[Pp]ermission|[Rr]ead-only|only read")
    said = [line for line in output.splitlines() if why.search(line)]
    assert said and len(said) == max(1, output.count("FAILED")), output
    for line in said:
        assert "Error: " in line and named in line, output
        assert re.search("give another|name another|--out", line), output


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("closed", REFUSED)
def test_a_place_that_may_only_be_read(tmp_path, closed, kind, full, request):
    if not full and (closed, kind) != ("project", "no right"):
        pytest.skip("in full only")
    place = make_place(tmp_path)
    commands = {
        "sweep": ["sweep", "runs/small.yaml", "--jobs", "1", "--no-summary"],
        "new": ["new", "another"],
    }
    if full:
        run = request.getfixturevalue("finished")
        image = next((place / "images").rglob("*.png"))
        commands |= {
            "partition": ["partition", place / "images", "--seed", "1"],
            "quick": ["sweep", "runs/start.yaml", "--quick", "--no-summary"],
            "check": ["check", place / "images"],
            "predict": ["predict", image, "--runs", run],
            "card": ["card", run],
        }
    env = {"HOME": str(place / "home"), "TMPDIR": str(place / "temporary")}
    env |= {f"XDG_{name}_HOME": "" for name in ("CACHE", "CONFIG", "DATA", "STATE")}
    where = {"cwd": place / "project", "before": as_ordinary_user, **env}
    with KINDS[kind](place / closed):
        for name, words in commands.items():
            status, output = gellib(*words, **where)
            if (named := REFUSED[closed].get(name)) is None:
                assert status == (1 if name == "check" else 0), (name, output)
                assert "writable" not in output, output
            else:
                assert status in (1, 2), (name, output)
                check_sentence(output, named)
    # Those of matplotlib and IPython, where they have no home.
    left = [path.name for path in (place / "temporary").iterdir() if path.is_dir()]
    assert closed != "home" or left == []
    # With the right to write, each of them works.
    for name in REFUSED[closed] if full else ("new",):
        status, output = gellib(*commands[name], **where)
        assert status == 0, (name, output)


def test_a_closed_cache_that_has_the_features_is_used(tmp_path, full):
    """As of a laboratory that shares one: another sweep of the same images completes."""
    if not full:
        pytest.skip("in full only")
    place = make_place(tmp_path)
    words = ["sweep", "runs/small.yaml", "--jobs", "1", "--no-summary"]
    assert gellib(*words, cwd=place / "project")[0] == 0
    with without_right(place / "cache"):
        status, output = gellib(
            *words, "--out", place / "more", cwd=place / "project", before=as_ordinary_user
        )
    assert status == 0 and "1 run: 1 done" in output, output
