"""A disk that is full or may not be written to: one sentence with the path, nothing left behind."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile

import pandas as pd
import pytest
from making.places import closed

from gellib.base.cached_json import cached_json
from gellib.base.files import (
    CannotWriteError,
    atomic_folder,
    atomic_path,
    delete_leftovers,
    write_csv,
    write_json,
    write_text,
)
from gellib.models.features.cache import cached_array


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte, where one may be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
    )
    if not made or made.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


WRITERS = {
    "text": lambda path: write_text(path, "x" * 2_000_000),
    "json": lambda path: write_json(path, ["x" * 2_000_000]),
    "csv": lambda path: write_csv(path, pd.DataFrame({"x": ["y" * 2_000_000]})),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_is_one_sentence_and_keeps_what_was_there(small_disk, write):
    file = small_disk / "a" / "file"
    write_text(file, "old")
    with pytest.raises(CannotWriteError) as found:
        write(file)
    advice = "make room there, or name another place"
    assert str(found.value) == f"{file} cannot be written: No space left on device; {advice}"
    assert found.value.errno == errno.ENOSPC and found.value.filename == str(file)
    assert file.read_text() == "old" and os.listdir(file.parent) == ["file"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_whatever_a_place_refuses_names_the_file(tmp_path, monkeypatch, code, write):
    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code), "temporary")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(CannotWriteError, match=os.strerror(code)) as found:
        write(tmp_path / "file")
    assert str(tmp_path / "file") in str(found.value) and not os.listdir(tmp_path)
    # What to do, but where the disk itself is broken.
    assert str(found.value).endswith("or name another place") == (code != errno.EIO)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("refused", ["mkdtemp", "block", "replace"])
def test_a_folder_too_is_made_whole_or_not_at_all(tmp_path, monkeypatch, refused, code):
    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code), "temporary")

    if refused != "block":
        monkeypatch.setattr(tempfile if refused == "mkdtemp" else os, refused, refuse)
    with pytest.raises(CannotWriteError, match="or name another place") as found:
        with atomic_folder(tmp_path / "folder") as temporary:
            (temporary / "a").touch()
            if refused == "block":
                refuse()
    assert str(found.value).startswith(str(tmp_path / "folder")) and not os.listdir(tmp_path)


def test_other_errors_of_a_block_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a"):
        (tmp_path / "gone").read_text()


def test_leftovers_of_ended_processes_go_and_others_stay(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    old = [f".summary.ipynb.{ended.pid}.ipynb", f".record.{ended.pid}-0123abcd.json",
           f".results.{ended.pid}-0123abcd.csv", f".lock.{ended.pid}-0123abcd"]  # fmt: skip
    kept = [f".summary.ipynb.{os.getpid()}.ipynb", f".record.{os.getpid()}-0123abcd.json",
            ".lock", "a.ipynb", f"photo.{ended.pid}.ipynb", f".mine.{ended.pid}.txt"]  # fmt: skip
    for name in (*old, *kept):
        (tmp_path / name).touch()
    assert sorted(path.name for path in delete_leftovers(tmp_path)) == sorted(old)
    assert sorted(os.listdir(tmp_path)) == sorted(kept)
    assert delete_leftovers(tmp_path / "no folder") == []


def test_a_closed_cache_is_read_and_what_it_lacks_is_made(tmp_path):
    """Findings are made anew each time; features, which take long and much room, are refused."""
    cache, shape = tmp_path / "cache", (3,)
    kept = cached_json(cache, "counts", ["a"], lambda: {"n": 1})
    cached_array(cache, {"a": 1}, shape, lambda out: out.fill(4), title="numbers")
    before = sorted(os.listdir(cache))
    with closed(cache):
        assert cached_json(cache, "counts", ["a"], pytest.fail) == kept == {"n": 1}
        assert cached_json(cache, "counts", ["b"], lambda: {"n": 2}) == {"n": 2}
        found, _ = cached_array(cache, {"a": 1}, shape, pytest.fail, title="numbers")
        assert found.tolist() == [4, 4, 4]
        with pytest.raises(CannotWriteError, match="or give another folder by -p cache_dir DIR"):
            cached_array(cache, {"a": 2}, shape, pytest.fail, title="numbers")
    assert sorted(os.listdir(cache)) == before


def test_a_finding_that_a_full_disk_does_not_keep_is_returned(small_disk):
    assert cached_json(small_disk, "texts", ["a"], lambda: "x" * 2_000_000) == "x" * 2_000_000
    assert not list(small_disk.glob("*.json")) and not list(small_disk.glob(".*.json"))
