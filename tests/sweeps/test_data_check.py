"""A sweep checks each image folder once, and a check that fails does not end it."""

import pytest

from gellib.runs import SweepFolder
from gellib.sweeps import kernel_server
from gellib.sweeps.data_check import check_image_folders

FOUND = {"images": 9, "shortcuts": []}


def test_folders_are_checked_once_and_again_when_they_changed(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(kernel_server, "call", lambda *args, **_: calls.append(args[1]) or FOUND)
    folder, lines = SweepFolder(tmp_path), []
    for fingerprints in ({("a", ""): "1"}, {("a", ""): "1", ("b", "t"): "2"}, {("a", ""): "3"}):
        check_image_folders(folder, fingerprints, lines.append)
    assert calls == ["a", "b", "a"] and len(lines) == 3
    (entry,) = folder.read_check()
    assert entry == {"dataset_dir": "a", "test_dir": "", "fingerprint": "3", **FOUND}


@pytest.mark.parametrize("error", [ValueError, OSError, RuntimeError, TimeoutError])
def test_a_check_that_fails_is_said_and_left_out(tmp_path, monkeypatch, error):
    def fail(*_, **__):
        raise error("no memory")

    monkeypatch.setattr(kernel_server, "call", fail)
    lines: list[str] = []
    check_image_folders(SweepFolder(tmp_path), {("a", ""): "1"}, lines.append)
    assert lines[-1] == "the images of a were not checked: no memory"
    assert SweepFolder(tmp_path).read_check() == []
