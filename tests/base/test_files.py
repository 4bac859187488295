"""What is written is there whole or not at all."""

import json

import pytest

from gellib.base.cached_json import cached_json
from gellib.base.files import atomic_folder, atomic_path, write_json, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_when_the_block_ends_well(tmp_path):
    file = tmp_path / "new" / "a.txt"
    write_text(file, "old")
    with atomic_path(file) as temporary:
        temporary.write_text("new")
        assert file.read_text() == "old" and temporary.suffix == ".txt"
    assert file.read_text() == "new"
    with pytest.raises(KeyboardInterrupt), atomic_path(file) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert file.read_text() == "new" and names(file.parent) == ["a.txt"]


def test_a_folder_appears_when_the_block_ends_well(tmp_path):
    folder = tmp_path / "new" / "a"
    with pytest.raises(OSError, match="disk"), atomic_folder(folder) as temporary:
        (temporary / "half").mkdir()
        raise OSError("disk")
    assert names(folder.parent) == []
    folder.mkdir()
    with atomic_folder(folder) as temporary:
        (temporary / "b").write_text("whole")
        assert names(folder) == []
    assert names(folder) == ["b"] and names(folder.parent) == ["a"]
    assert folder.stat().st_mode & 0o777 == 0o755
    with pytest.raises(OSError), atomic_folder(folder) as temporary:
        (temporary / "c").write_text("what is there is kept")
    assert names(folder) == ["b"] and names(folder.parent) == ["a"]


def test_text_keeps_its_line_ends_and_json_refuses_what_is_none(tmp_path):
    write_text(tmp_path / "a.csv", "a\nb\n", newline="\n")
    assert (tmp_path / "a.csv").read_bytes() == b"a\nb\n"
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert names(tmp_path) == ["a.csv"]


def test_values_are_computed_once_and_again_when_damaged(tmp_path):
    computed = []

    def compute():
        computed.append(1)
        return {"n": len(computed)}

    assert cached_json(tmp_path, "counts", ["digest"], compute) == {"n": 1}
    assert cached_json(tmp_path, "counts", ["digest"], compute) == {"n": 1}
    assert cached_json(tmp_path, "counts", ["other"], compute) == {"n": 2}
    (kept,) = [
        p for p in tmp_path.glob("counts-*.json") if json.loads(p.read_text())["found"]["n"] == 1
    ]
    for n, damaged in enumerate(("{", kept.read_text().replace('"n": 1', '"n": 5')), start=3):
        kept.write_text(damaged)
        assert cached_json(tmp_path, "counts", ["digest"], compute) == {"n": n}
