"""A sweep checks each image folder once, and a check that fails does not end it."""

import os
import subprocess
import sys
import time

import pytest
from making.folders import make_two_classes

from gellib.runs import SweepFolder
from gellib.sweeps import data_check
from gellib.sweeps.data_check import FolderChecks

FOUND = {"images": 9, "shortcuts": []}


def check(folder, fingerprints):
    lines: list[str] = []
    with FolderChecks(SweepFolder(folder), fingerprints) as checks:
        checks.finish(lines.append)
    return lines


def answering(monkeypatch, program):
    """Let `program` answer in the place of the check; it has `here` and `folders`."""
    start = "import json, sys; here, folders = json.loads(sys.stdin.readline())\n"
    monkeypatch.setattr(data_check, "_PROGRAM", start + program)


def test_folders_are_checked_once_and_again_when_they_changed(tmp_path, monkeypatch):
    log = tmp_path / "calls"
    answering(
        monkeypatch,
        f"for a, b in folders:\n    open({str(log)!r}, 'a').write(a)\n"
        f"    print(json.dumps([{FOUND}, '']))",
    )
    for fingerprints in ({("a", ""): "1"}, {("a", ""): "1", ("b", "t"): "2"}, {("a", ""): "3"}):
        check(tmp_path, fingerprints)
    assert log.read_text() == "aba"
    (entry,) = SweepFolder(tmp_path).read_check()
    assert entry == {"dataset_dir": "a", "test_dir": "", "fingerprint": "3", **FOUND}


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("print(json.dumps([None, 'no memory']))", "no memory"),
        ("sys.exit(1)", "its process ended without an answer"),
        ("print('[', end='')", "its process ended without an answer"),
        ("print('[{\"images\": ]')", "its process ended without an answer"),
        ("print('a library says [hello]')", "its process ended without an answer"),
        ("print('7')", "its process ended without an answer"),
        ("print('[1, 2, 3]')", "its process ended without an answer"),
        ("sys.stdout.buffer.write(b'\\xff]')", "its process ended without an answer"),
        ("import time; time.sleep(60)", "it had not ended 0.5 s after the runs"),
    ],
)
def test_a_check_that_fails_is_said_and_left_out(tmp_path, monkeypatch, program, reason):
    answering(monkeypatch, program)
    monkeypatch.setattr(data_check, "_LIMIT_S", 0.5 if "sleep" in program else 60)
    lines = check(tmp_path, {("a", ""): "1"})
    assert lines[-1] == f"the images of a were not checked: {reason}"
    assert SweepFolder(tmp_path).read_check() == []


def test_a_process_that_cannot_start_is_said_and_left_out(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(data_check.subprocess, "Popen", fail)
    lines = check(tmp_path, {("a", ""): "1"})
    assert lines == [
        "the images of a were not checked: [Errno 11] Resource temporarily unavailable"
    ]


def test_more_lines_than_folders_are_ignored(tmp_path, monkeypatch):
    answering(monkeypatch, f"[print(json.dumps([{FOUND}, ''])) for _ in range(3)]")
    assert not [line for line in check(tmp_path, {("a", ""): "1"}) if "not checked" in line]
    assert len(SweepFolder(tmp_path).read_check()) == 1


@pytest.mark.slow
def test_a_folder_relative_to_the_current_one_is_checked_in_a_process_without_torch(
    tmp_path, monkeypatch
):
    make_two_classes(tmp_path / "mine", 6)
    # What lies in the current folder is no module.
    (tmp_path / "random.py").write_text("raise RuntimeError('imported from the current folder')")
    monkeypatch.chdir(tmp_path)
    lines = check(tmp_path, {("mine", ""): "1", ("nowhere", ""): "2"})
    (entry,) = SweepFolder(tmp_path).read_check()
    assert entry["images"] == 6
    assert "nowhere" in lines[-1]
    code = "import gellib.audit.short_check, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=os.sep, check=True)


def test_its_process_ends_with_the_sweep(tmp_path, monkeypatch):
    answering(monkeypatch, "import time; time.sleep(600)")
    with pytest.raises(KeyError), FolderChecks(SweepFolder(tmp_path), {("a", ""): "1"}) as checks:
        raise KeyError
    assert checks._process.returncode is not None


@pytest.mark.slow
def test_its_process_ends_when_that_of_the_sweep_is_killed(tmp_path):
    program = (
        "import time; from gellib.runs import SweepFolder; from gellib.sweeps import data_check\n"
        "data_check._PROGRAM = 'from gellib.sweeps import data_check; import gellib.audit as a;'"
        "    'import time; a.short_check = lambda *_: time.sleep(600); data_check.serve()'\n"
        f"with data_check.FolderChecks(SweepFolder({str(tmp_path)!r}), {{('a', ''): '1'}}) as c:\n"
        "    print(c._process.pid, flush=True)\n"
        "    time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    until = time.monotonic() + 60
    while running(child) and time.monotonic() < until:
        time.sleep(0.1)
    assert not running(child)


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
