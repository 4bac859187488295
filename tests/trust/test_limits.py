"""Too little memory, full and read-only places, a clock that goes back: a sentence, no loss."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from making.commands import as_ordinary_user, gellib, make_two_runs
from making.places import without_right

from gellib.runs import SweepFolder

pytestmark = [
    pytest.mark.notebooks,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux"),
]


def sweep(file: Path, *more, **options) -> tuple[int, str]:
    words = ["sweep", file, "--jobs", "1", "--no-summary", *more]
    return gellib(*words, cwd=file.parent, **options)


def check_complete(file: Path, **options) -> None:
    """The same command without the limit: all runs are done, and nothing else is left."""
    status, output = sweep(file, **options)
    assert status == 0, output
    folder = SweepFolder(file.parent / "small")
    assert [record.done for record in folder.records()] == [True, True]
    left = [path for path in folder.path.rglob(".*") if path.is_file() and path.name != ".lock"]
    assert left == []


@pytest.mark.parametrize("mb", [300, 1000, 2000, 4000])
def test_too_little_memory(tmp_path, mb, full):
    """Address space, which is what `ulimit -v` and many batch systems limit."""
    import resource

    if not full and mb != 1000:
        pytest.skip("in full only")
    file = make_two_runs(tmp_path)
    limit = mb * 1_000_000
    status, output = sweep(
        file, before=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit,) * 2)
    )
    last = output.strip().splitlines()
    assert status == 0 or any("memory" in line.lower() or "cannot" in line for line in last), output
    check_complete(file)


@contextlib.contextmanager
def small_place(folder: Path, size: str):
    """A file system of a size in a folder, which can be made larger."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("may not mount a file system")
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=500m", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("size", ["16k", "200k", "1m"])
@pytest.mark.parametrize("what", ["output", "cache"])
def test_a_place_that_is_full(tmp_path, what, size, full):
    if not full and size != "200k":
        pytest.skip("in full only")
    file = make_two_runs(tmp_path)
    place = tmp_path / ("small" if what == "output" else "cache")
    with small_place(place, size) as enlarge:
        status, output = sweep(file)
        words = ("No space left", "make room", "free;", "FAILED", "Disk quota")
        assert status == 0 or any(word in output for word in words), output
        enlarge()
        check_complete(file)


@pytest.mark.parametrize("size", ["4k", "16k", "200k", "1m"])
def test_a_temporary_folder_that_is_full(tmp_path, size, full):
    """Where libraries put what they need for a moment, such as the sockets of kernels."""
    if not full and size != "16k":
        pytest.skip("in full only")
    file = make_two_runs(tmp_path)
    place = Path(tempfile.mkdtemp(prefix="t-"))
    with small_place(place, size) as enlarge:
        status, output = sweep(file, TMPDIR=str(place))
        words = ("No space left", "make room", "FAILED")
        assert status == 0 or any(word in output for word in words), output
        left = [path for path in place.rglob("*") if path.is_file()]
        assert left == []
        enlarge()
        check_complete(file, TMPDIR=str(place))
        assert list(place.iterdir()) == []
    place.rmdir()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    file = make_two_runs(tmp_path_factory.mktemp("finished"))
    status, output = gellib("sweep", file, "--jobs", "1", cwd=file.parent)
    assert status == 0, output
    return file


def test_a_finished_sweep_is_read_by_who_may_not_write_there(finished, tmp_path):
    folder = finished.parent / "small"
    image = next((finished.parent / "images").rglob("*.png"))
    with without_right(folder), without_right(finished.parent / "images"):
        for words in (
            ["status", folder],
            ["card", folder],
            ["methods", folder],
            ["predict", image, "--runs", folder],
            ["check", finished.parent / "images"],
        ):
            status, output = gellib(*words, cwd=tmp_path, before=as_ordinary_user)
            assert status == 0 or words[0] == "check" and status == 1, (words, output)
        status, output = sweep(finished, before=as_ordinary_user)
    assert status == 1 and "Error: " in output and str(folder) in output, output
    assert "Permission denied" in output


# A day behind from the start; in each process, an hour more after it was asked fifty times.
_CLOCK = """
import time
asked, real = [0], time.time
def behind():
    asked[0] += 1
    return real() - 86400 - (3600 if asked[0] > 50 else 0)
time.time = behind
"""


def test_a_clock_that_is_set_back(finished, tmp_path):
    """What was written seems to be of the future: it counts all the same, and nothing is lost."""
    folder = SweepFolder(finished.parent / "small")
    (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(_CLOCK))
    future = time.time() + 400 * 86400
    for path in (*finished.parent.rglob("*"), finished.parent):
        os.utime(path, (future, future))
    first, second = (run for run in folder.run_folders())
    before = first.record.read_bytes()
    second.record.unlink()
    results = folder.results.read_text().splitlines()
    words = ["sweep", finished, "--jobs", "1"]
    status, output = gellib(*words, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert status == 0 and "1 done before, 1 to do" in output, output
    assert first.record.read_bytes() == before
    assert [record.done for record in folder.records()] == [True, True]
    assert all(record.timings.total_s > 0 for record in folder.records())
    again = folder.results.read_text().splitlines()
    assert again[:2] == results[:2] and len(again) == 3
    assert second.path.name in folder.page.read_text() and folder.page.stat().st_mtime < future
