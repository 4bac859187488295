"""Too little memory and full file systems: one sentence, and nothing is lost."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from making.commands import gellib, make_two_runs

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
    assert status == 0 or any("memory" in line or "cannot" in line for line in last), output
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
