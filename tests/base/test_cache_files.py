"""What the cache holds, and that only this is deleted."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from gellib.base.cache_files import CacheContents
from gellib.base.cached_json import cached_json
from gellib.base.text import bytes_text
from gellib.models.features.cache import cached_array


def fill(folder):
    for n in (10, 20):
        cached_array(folder, {"n": n}, (n,), lambda out: out.fill(1), title="resnet18 features")
    cached_json(folder, "more_images", {"a": 1}, lambda: [1, 2])
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (folder / f".{'0' * 40}.{ended.pid}-0123abcd.npy").write_bytes(b"x" * 7)


def test_it_says_what_there_is_and_deletes_only_that(tmp_path):
    folder = tmp_path / "cache"
    fill(folder)
    others = [folder / name for name in ("notes.json", "photo.npy", "x-1.json", "0" * 40)]
    for file in others:
        file.write_text("mine")
    (folder / f"{'1' * 40}.npy").mkdir()
    (folder / f"{'2' * 40}.npy").symlink_to(others[0])
    contents = CacheContents.of(folder)
    assert contents.kinds["resnet18 features"][0] == 2
    assert contents.kinds["more images"][0] == 1 and contents.kinds["unfinished"] == (1, 7)
    assert [*contents.kinds][0] == "resnet18 features"
    arrays = sum(file.stat().st_size for file in contents.files if file.suffix == ".npy")
    assert arrays <= contents.size < arrays + 100
    assert contents.clear() == []
    assert CacheContents.of(folder).files == []
    assert sorted(folder.iterdir()) == sorted(
        [*others, folder / f"{'1' * 40}.npy", folder / f"{'2' * 40}.npy"]
    )
    fill(folder)
    assert CacheContents.of(folder).kinds["resnet18 features"][0] == 2


def test_notes_go_first_and_locks_last(tmp_path, monkeypatch):
    """Whoever is stopped in between leaves no array that seems to be complete."""
    for key in "ab":
        for suffix in ("npy", "lock", "json"):
            (tmp_path / f"{key * 40}.{suffix}").write_text("{}")
    gone, real = [], Path.unlink

    def unlink(path, **options):
        gone.append((path.name[0], path.suffix))
        real(path, **options)

    monkeypatch.setattr(Path, "unlink", unlink)
    CacheContents.of(tmp_path).clear()
    order = [(key, suffix) for key in "ab" for suffix in (".json", ".npy", ".lock")]
    assert [one for one in gone if one in order] == order


def test_a_damaged_note_and_no_folder_are_no_error(tmp_path):
    assert CacheContents.of(tmp_path / "none").size == 0
    for number, note in enumerate(("", "[]", '{"what": 3}', "{}")):
        (tmp_path / f"{number:040}.json").write_text(note)
        (tmp_path / f"{number:040}.npy").write_bytes(np.zeros(3).tobytes())
    assert CacheContents.of(tmp_path).kinds == {"unfinished": (4, 96)}


def test_sizes():
    assert bytes_text(3_400_000_000) == "3.4 GB" and bytes_text(12_300_000) == "12.3 MB"


@pytest.mark.parametrize("suffix", ["npy", "json"])
@pytest.mark.parametrize("name", ["", "more_images-"])
def test_what_a_process_writes_is_kept(tmp_path, name, suffix):
    key = f"{name}{'a' * 40}"
    writes = tmp_path / f".{key}.{os.getpid()}-0123abcd.{suffix}"
    writes.touch()
    (tmp_path / f"{name}{'b' * 40}.json").write_text("{}")
    assert CacheContents.of(tmp_path).clear() == [writes]
    assert [*tmp_path.iterdir()] == [writes]


@pytest.mark.parametrize("name", ["", "more_images-"])
def test_an_entry_whose_lock_is_held_is_kept(tmp_path, name):
    for key in "ab":
        for suffix in ("json", "npy", "lock"):
            (tmp_path / f"{name}{key * 40}.{suffix}").write_text("{}")
    held = [tmp_path / f"{name}{'a' * 40}.{suffix}" for suffix in ("json", "lock", "npy")]
    with FileLock(held[1]):
        assert sorted(CacheContents.of(tmp_path).clear()) == held
        assert sorted(tmp_path.iterdir()) == held
    assert CacheContents.of(tmp_path).clear() == [] and [*tmp_path.iterdir()] == []
