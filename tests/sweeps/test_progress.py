"""What one sees while a sweep runs: the first line, bars, lines without a terminal, the status."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from click.testing import CliRunner
from making.sweeps import make_sweep, make_sweep_file

from gellib.cli import main
from gellib.runs import SweepFolder
from gellib.sweeps import live_state, load_sweep, outlook, progress
from gellib.sweeps.live_state import Activity, ActivityFile, read_activities, write_activity
from gellib.sweeps.outlook import describe_work
from gellib.sweeps.plan import locked
from gellib.sweeps.progress import Progress, print_line

FEATURES = Activity("resnet18 features", 312, 1180, "images", 40.2)


@pytest.mark.parametrize(
    ("activity", "words"),
    [
        (FEATURES, "resnet18 features: 312 of 1180 images, 0:40 left"),
        (replace(FEATURES, left_s=None), "resnet18 features: 312 of 1180 images"),
        (replace(FEATURES, left_s=59.6), "resnet18 features: 312 of 1180 images, 1:00 left"),
        (replace(FEATURES, left_s=3725), "resnet18 features: 312 of 1180 images, 1:02:05 left"),
        (Activity("", 4, 12, "runs done"), "4 of 12 runs done"),
        (Activity("making the summary"), "making the summary"),
    ],
)
def test_an_activity_is_a_sentence(activity, words):
    assert str(activity) == words


class TestActivityFile:
    @pytest.fixture
    def clock(self, monkeypatch):
        now = [1000.0]
        monkeypatch.setattr(live_state.time, "monotonic", lambda: now[0])
        return now

    def test_is_written_at_most_twice_per_second(self, tmp_path, monkeypatch, clock):
        written = []
        monkeypatch.setattr(
            live_state, "write_activity", lambda path, activity: written.append(activity)
        )
        with ActivityFile(tmp_path / "a", total=100, desc="features", unit="images") as bar:
            for _ in range(100):
                clock[0] += 0.1
                bar.update()
        assert bar.n == 100
        assert 18 <= len(written) <= 21  # in ten seconds, and one when it begins
        assert [activity.done for activity in written] == sorted({a.done for a in written})
        assert written[0] == Activity("features", 0, 100, "images", None)
        at_half = next(activity for activity in written if activity.done >= 50)
        assert at_half.left_s == pytest.approx((100 - at_half.done) * 0.1)

    @pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
    def test_is_gone_however_the_work_ends(self, tmp_path, error):
        with pytest.raises(error) if error else open(os.devnull):
            with ActivityFile(tmp_path / "a.json", total=2, desc="features", unit="images"):
                assert str(*read_activities(tmp_path).values()) == "features: 0 of 2 images"
                if error:
                    raise error
        assert read_activities(tmp_path) == {}

    def test_a_folder_that_cannot_be_written_stops_no_work(self, tmp_path):
        (tmp_path / "file").write_text("")
        with ActivityFile(tmp_path / "file" / "a", total=2, desc="features", unit="images") as bar:
            bar.update(2)
        assert bar.n == 2

    def test_files_of_others_are_left_out(self, tmp_path):
        write_activity(tmp_path / "b.json", FEATURES)
        for name, text in {"a": "{", "c": "[]", "d": '{"x": 1}', ".b.tmp": "{}"}.items():
            (tmp_path / name).write_text(text)
        assert read_activities(tmp_path) == {"b.json": FEATURES}
        assert read_activities(tmp_path / "none") == {}


@pytest.mark.slow
@pytest.mark.parametrize(("shard", "steps"), [(256, 0), (4, 0), (256, 2)])
def test_extraction_counts_every_image(tmp_path, monkeypatch, shard, steps):
    from gellib.config import RunConfig
    from gellib.sweeps.prepare import extract_features

    make_sweep_file(tmp_path)
    written = []
    monkeypatch.setattr(live_state, "WRITE_EVERY_S", 0.0)
    monkeypatch.setattr(live_state, "write_activity", lambda path, a: written.append(a))
    values = {
        "dataset_dir": str(tmp_path / "images"), "weights": "none", "image_size": 32,
        "cache_dir": str(tmp_path / "cache"), "group_duplicates": False,
    }  # fmt: skip
    values |= {"views": steps} if steps else {"augmentation": "none"}
    config = RunConfig.check(values)
    extract_features(config, 1, shard, tmp_path / "live.json")
    plain = [a for a in written if a.what == "resnet18 features"]
    assert plain[0].done == 0 and plain[-1].done == plain[-1].total == 28
    assert len({a.done for a in plain}) > 2
    others = [a for a in written if a.what != "resnet18 features"]
    assert {a.what for a in others} == ({"resnet18 features, 2 views each"} if steps else set())
    if steps:
        assert others[-1].done == others[-1].total and others[-1].unit == "views"


class TestFirstLine:
    @pytest.fixture
    def sweep(self, tmp_path):
        return load_sweep(make_sweep_file(tmp_path))

    @staticmethod
    def on(sweep, hardware, numbers):
        configs = {
            name: config.model_copy(update={"hardware_type": hardware})
            if number in numbers
            else config.model_copy(update={"hardware_type": "cpu"})
            for number, (name, config) in enumerate(sweep.configs.items())
        }
        return replace(sweep, configs=configs)

    @pytest.mark.parametrize(
        ("numbers", "gpu", "scheduler", "words"),
        [
            ((), False, None, "4 runs: 4 to do"),
            ((0, 1), False, None, "4 runs: 2 to do, 2 need a GPU and are skipped"),
            ((0,), False, None, "4 runs: 3 to do, 1 needs a GPU and is skipped"),
            ((0, 1), True, None, "4 runs: 4 to do (2 of them on a GPU)"),
            ((0, 1), False, "tcp://other:1", "4 runs: 4 to do (2 of them on a GPU)"),
        ],
    )
    def test_counts_what_is_to_do(self, sweep, monkeypatch, numbers, gpu, scheduler, words):
        monkeypatch.setattr(outlook, "may_have_gpu", lambda: gpu)
        assert describe_work(self.on(sweep, "gpu", numbers), scheduler=scheduler) == words

    @pytest.mark.slow
    def test_counts_what_was_done_before(self, tmp_path, monkeypatch):
        from gellib.config import RunConfig

        folder = make_sweep(tmp_path / "s", tmp_path / "data", failed=(2,))
        configs = {}
        for run in folder.run_folders():
            configs[run.path.name] = RunConfig(**run.read_record().config)
            run.notebook.touch()
        base = load_sweep(make_sweep_file(tmp_path))
        sweep = replace(base, folder=folder.path, configs=configs)
        monkeypatch.setattr(outlook, "may_have_gpu", lambda: False)
        cpu = sum(config.hardware_type == "cpu" for config in configs.values())
        gpu = len(configs) - cpu
        to_do = sum(run.read_record().status == "failed" for run in folder.run_folders())
        expected = f"{len(configs)} runs: {cpu - to_do} done before, {to_do} to do"
        assert describe_work(sweep) == f"{expected}, {gpu} need a GPU and are skipped"
        again = describe_work(sweep, fresh=True)
        assert again == f"{len(configs)} runs: {cpu} to do, {gpu} need a GPU and are skipped"

    def test_a_hidden_gpu_is_none(self, monkeypatch):
        monkeypatch.setattr(sys, "platform", "linux")
        for hidden in ("", "-1"):
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
            assert not outlook.may_have_gpu()


SLOW_MODULES = ("torch", "pandas", "distributed", "papermill", "sklearn", "matplotlib")
COMMAND = """
import sys
import gellib.sweeps.kernel_server as server
def stop(modules):
    raise KeyboardInterrupt
server.start_server = stop
from gellib.cli import main
try:
    main(sys.argv[1:])
finally:
    print("imported:", *[name for name in {slow} if name in sys.modules])
"""


def begin(*arguments):
    """Let the command begin, up to where the first slow import would start."""
    code = COMMAND.replace("{slow}", repr(SLOW_MODULES))
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ([], 130, "4 runs: 4 to do"),  # as stopped by Ctrl-C
        (["-p", "dataset_dir", "nowhere"], 2, "'dataset_dir': no such folder: 'nowhere'"),
        (["-p", "test_dir", "nowhere"], 2, "'test_dir': no such folder: 'nowhere'"),
        (["-p", "dataset_dir", "FILE"], 2, "'dataset_dir': no such folder: "),
        (["-p", "weights", "nowhere.pt"], 2, "parameter 'weights': got 'nowhere.pt'"),
        (["-p", "pretrained_model", "resnet19"], 2, "'pretrained_model': got 'resnet19'"),
    ],
)
def test_first_line_and_wrong_input_come_before_slow_imports(tmp_path, options, status, words):
    file = make_sweep_file(tmp_path)
    done = begin("sweep", file, *(str(file) if text == "FILE" else text for text in options))
    assert done.returncode == status, done.stderr
    assert words in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "imported:"
    assert not (tmp_path / "small").exists()


class TestWithoutTerminal:
    def test_a_line_has_the_time_and_no_carriage_return(self, capsys):
        print_line("making the summary")
        assert re.fullmatch(r"\d\d:\d\d:\d\d  making the summary\n", capsys.readouterr().out)

    def test_what_takes_long_is_a_line_once_in_a_while(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(progress, "REFRESH_S", 0.01)
        monkeypatch.setattr(progress, "LINE_EVERY_S", 0.1)
        sweep, lines = load_sweep(make_sweep_file(tmp_path)), []
        live = SweepFolder(sweep.folder).live
        with Progress(sweep, lines.append) as shown:
            shown.phase("reading")
            shown.skipped(3, "no GPU found")
            with shown.runs(1):
                write_activity(live / "key.json", FEATURES)
                threading.Event().wait(0.55)
                assert [str(a) for a in read_activities(live).values()] == [
                    "0 of 1 runs done", str(FEATURES)
                ]  # fmt: skip
                shown.ended("01-single-adam", "fine")
        assert lines[:2] == ["reading", "3 runs are skipped: no GPU found"]
        # A line of what takes long may come just after it.
        assert sum(line.startswith("[  1 of 4] 01-single-adam") for line in lines) == 1
        assert 1 <= lines.count(str(FEATURES)) <= 5
        assert len(lines) == 3 + lines.count(str(FEATURES))
        assert capsys.readouterr() == ("", "")
        assert not live.exists()


BARS = """
import sys, time
from gellib.sweeps.progress import Progress, print_line
from gellib.sweeps import load_sweep, progress
from gellib.sweeps.live_state import Activity, write_activity
progress.REFRESH_S = 0.02
with Progress(load_sweep(sys.argv[1]), print_line) as shown:
    shown.skipped(3, "no GPU found")
    with shown.runs(1):
        for n in (0, 312, 1180):
            left = None if n == 0 else 40.2
            activity = Activity("resnet18 features", n, 1180, "images", left)
            write_activity(shown._live / "key.json", activity)
            time.sleep(0.2)
        shown.ended("01-single-adam", "fine")
        time.sleep(0.1)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("columns", [80, 120])
def test_bars_on_a_terminal_count_images_and_fit(tmp_path, columns):
    text = in_terminal(columns, [sys.executable, "-c", BARS, make_sweep_file(tmp_path)])
    drawn = [line for line in re.split(r"\x1b\[A|[\r\n]+", text) if line.strip()]
    assert max(map(len, drawn)) <= columns
    assert max(len(line) for line in drawn if "|" in line) > columns - 3
    assert any(re.match(r"resnet18 features \|.*\| 312/1180 images, 0:40 left", s) for s in drawn)
    # The runs that are skipped are no work.
    assert any(re.match(r"small \| +\| 0/1 runs, 00:0\d so far", line) for line in drawn)
    assert any(re.match(r"small \|\S+\| 1/1 runs", line) for line in drawn)
    assert [line for line in drawn if "|" not in line] == [
        "3 runs are skipped: no GPU found", "[  1 of 4] 01-single-adam  fine"
    ]  # fmt: skip


def in_terminal(columns, command):
    """Run a command in a pseudo-terminal; return all that it wrote."""
    import fcntl
    import pty
    import struct
    import termios

    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        os.execv(command[0], [str(part) for part in command])
    parts = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so where the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, b"".join(parts).decode()
    return b"".join(parts).decode()


def gellib(*arguments):
    return CliRunner().invoke(main, [str(part) for part in arguments], catch_exceptions=False)


class TestStatusOfAFolder:
    @pytest.mark.slow
    def test_says_what_goes_on_while_a_sweep_runs(self, tmp_path):
        folder = make_sweep(tmp_path / "s", tmp_path / "data")
        run = folder.run_folders()[0]
        run.record.unlink()
        run.running.touch()
        write_activity(folder.live / "key.json", FEATURES)
        with locked(folder):
            lines = gellib("status", folder.path).output.splitlines()
        assert lines[0].split() == [run.path.name, "running"]
        assert lines[-2].startswith("24 runs: 11 done, 1 running, 12 skipped")
        assert lines[-1] == "now: resnet18 features: 312 of 1180 images, 0:40 left"
        # Of a sweep that was killed nothing goes on.
        lines = gellib("status", folder.path).output.splitlines()
        assert lines[0].split() == [run.path.name, "to", "do"]
        assert lines[-1].startswith("24 runs: 11 done, 12 skipped, 1 to do")

    def test_of_a_sweep_that_just_started(self, tmp_path):
        folder = SweepFolder(tmp_path / "s")
        with locked(folder):
            write_activity(folder.live / "a.json", Activity("reading the images"))
            assert gellib("status", folder.path).output == "now: reading the images\n"

    def test_a_file_shows_it_too(self, tmp_path):
        file = make_sweep_file(tmp_path)
        folder = SweepFolder(load_sweep(file).folder)
        with locked(folder):
            write_activity(folder.live / "key.json", FEATURES)
            lines = gellib("status", file).output.splitlines()
        assert lines[-2:] == ["4 runs: 4 to do", f"now: {FEATURES}"]

    def test_other_folders_and_options_are_refused(self, tmp_path):
        result = gellib("status", tmp_path)
        assert result.exit_code == 1 and "is not the folder of a sweep" in result.output
        for options in (["-p", "seed", "1"], ["--out", "x"], ["--quick"]):
            result = gellib("status", tmp_path, *options)
            assert result.exit_code == 2 and "belong to a sweep file" in result.output
