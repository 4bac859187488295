"""Ctrl-C and SIGTERM: the status of the signal, the sentence that the command goes on, no rest."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gellib.base.paths import PROJECT_ROOT
from gellib.base.stopping import stopped_in_words
from gellib.base.temporary import delete_left_folders, temporary_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture
def place():
    """A temporary folder of a usual length: paths of sockets are limited."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        yield Path(folder)


def start(tmp_path, place, *more):
    file = tmp_path / "s.yaml"
    images = PROJECT_ROOT / "dataset" / "gel"
    file.write_text(
        f"name: s\nparams: {{dataset_dir: {images}, num_epochs: 1, image_size: 32, weights: none,\n"
        "  hardware_type: cpu, max_images: 16, evaluation: holdout, explain: false}"
    )
    # In a group of its own, as a terminal starts it.
    return subprocess.Popen(
        [sys.executable, "-m", "gellib", "sweep", str(file), "--jobs", "1", *more],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env={**os.environ, "TMPDIR": str(place), "PYTHONPATH": str(PROJECT_ROOT)},
        cwd=PROJECT_ROOT,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.5, 3.0])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_is_stopped_early_says_how_it_goes_on(tmp_path, place, number, seconds):
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", ""], check=True)
    bare = time.monotonic() - began  # until then no line of gellib has run
    process = start(tmp_path, place)
    time.sleep(bare + seconds)
    os.killpg(process.pid, number)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + number, output
    assert output.endswith("\nstopped; the same command resumes where it was\n")
    assert "Traceback" not in output and "Aborted" not in output
    assert "distributed" not in output
    for _ in range(50):
        if not list(place.iterdir()):
            break
        time.sleep(0.1)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("inside", ["exec(KILL)", "eval('exec(KILL)')", "import killing"])
def test_wherever_the_signal_arrives_the_status_is_that_of_the_command(tmp_path, number, inside):
    """Also while text is executed, as the import of a dataclass does."""
    kill = f"import os, time; os.kill(os.getpid(), {int(number)}); time.sleep(5)"
    (tmp_path / "killing.py").write_text(f"exec({kill!r})")
    (tmp_path / "command.py").write_text(
        f"from gellib.base.stopping import stopped_in_words\nKILL = {kill!r}\n"
        f"with stopped_in_words(lambda: True):\n    {inside}\n"
    )
    env = {**os.environ, "PYTHONPATH": f"{PROJECT_ROOT}{os.pathsep}{tmp_path}"}
    command = [sys.executable, "-m", "command"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 128 + number, done.stderr
    assert done.stderr == "\nstopped; the same command resumes where it was\n"


@pytest.mark.notebooks
@pytest.mark.parametrize("signs", [0, 60], ids=["short", "too long for sockets in our folder"])
def test_a_sweep_leaves_nothing_in_the_temporary_folder(tmp_path, place, signs):
    if signs:
        place = place / ("t" * (signs - 1 - len(str(place))))
        place.mkdir()
    process = start(tmp_path, place, "--no-summary")
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    assert list(place.iterdir()) == []
    # Nor is how to connect to its kernel what the log of the run holds.
    (log,) = (tmp_path / "s").glob("*/log.txt")
    assert "kernel" not in log.read_text()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ImportError, SystemError])
def test_an_error_that_a_library_made_of_the_signal_is_no_error(error, capsys):
    with pytest.raises(SystemExit) as ended, stopped_in_words(lambda: False):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        except KeyboardInterrupt as err:
            raise error from err
    assert ended.value.code == 143
    assert capsys.readouterr().err == "\nstopped\n"


def test_another_error_stays_one():
    with pytest.raises(ImportError), stopped_in_words(lambda: True):
        raise ImportError
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_folders_of_processes_that_were_killed_are_deleted(tmp_path):
    script = "import os; from gellib.base.temporary import *; print(temporary_folder(), flush=True)"
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(PROJECT_ROOT)}

    def run(more):
        command = [sys.executable, "-c", script + more]
        return subprocess.run(command, capture_output=True, text=True, env=env).stdout.strip()

    killed = run("; open(temporary_folder() + '/a', 'w'); os.kill(os.getpid(), 9)")
    mine = Path(killed).name.split("-")[2]  # this machine
    others = [
        tmp_path / name
        for name in (
            "gellib-mine",
            "gellib-999999999-abc",
            f"gellib-{os.getpid()}-{mine}-abc",
            "gellib-999999999-00000000-abc",  # of another machine: its process may run
        )
    ]
    for other in others:
        other.mkdir()
    (tmp_path / f"gellib-999999999-{mine}-abc").symlink_to(others[0])
    assert os.path.isdir(killed)
    ended = run("; os.mkdir(temporary_folder() + '/b')")
    assert ended != killed and not os.path.exists(killed) and not os.path.exists(ended)
    assert delete_left_folders(tmp_path) == []
    assert all(other.is_dir() for other in others)
    assert temporary_folder() == temporary_folder()


def test_processes_that_start_together_delete_the_same_folders(tmp_path):
    mine = Path(temporary_folder()).name.split("-")[2]
    for round_ in range(20):
        for number in range(5):
            (tmp_path / f"gellib-{999_999_000 + number}-{mine}-abc" / "x").mkdir(parents=True)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(delete_left_folders, [tmp_path] * 4))
        assert list(tmp_path.iterdir()) == [], round_
