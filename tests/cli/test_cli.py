"""The command as its users type it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from making.folders import make_stripes_and_dots
from making.sweeps import make_sweep_file

from gellib.base.paths import PROJECT_ROOT
from gellib.cli import main
from gellib.cli.shared import said_if_slow, say_waiting, says_if_slow

NOTEBOOK = PROJECT_ROOT / "notebooks" / "2_train.ipynb"


def gellib(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A sweep file whose runs the command has done, with two heads and one optimiser."""
    folder = tmp_path_factory.mktemp("cli")
    file = make_sweep_file(folder)
    command = [sys.executable, "-m", "gellib", "sweep", file, "-p", "opt_alg", "sgd"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return file, done.stdout


def test_help_teaches_every_command():
    text = gellib("--help").output
    for command in ("sweep", "status", "predict", "simulate"):
        assert f"gellib {command}" in text
        assert "Usage" in gellib(command, "--help").output


def test_help_does_not_wait_for_torch():
    code = "import sys, gellib.cli; print('torch' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_dry_run_lists_and_runs_nothing(tmp_path):
    file = make_sweep_file(tmp_path)
    result = gellib("sweep", file, "--dry-run")
    assert result.exit_code == 0
    assert "01-single-adam  to do" in result.output
    assert "4 runs: 4 to do" in result.output
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep", "runs/nothing.yaml"], "no such sweep file"),
        (["sweep", "runs/gel.yaml", "-p", "epochs", "3"], "'epochs' is unknown"),
        (["sweep", "runs/gel.yaml", "-p", "batch_size", "many"], "'batch_size'"),
        (["sweep", "runs/gel.yaml", "--jobs", "0"], "0 is not in the range"),
        (
            ["simulate", "gle", "--out", "x"],
            "system 'gle' is unknown; there are: gel, brain_mri, alzheimer, protein",
        ),
        (["predict", "x.png", "--run", "nowhere"], "is not a finished run"),
    ],
)
def test_wrong_input_is_one_message_and_no_traceback(arguments, words):
    result = gellib(*arguments)
    assert result.exit_code != 0
    assert words in result.output
    assert "Traceback" not in result.output


@pytest.mark.notebooks
class TestSweep:
    def test_tells_where_everything_is(self, sweep):
        _, output = sweep
        assert "2 runs: 2 done" in output
        assert "results:  small/results.csv" in output
        assert "summary:  small/summary.html" in output
        assert "predict:  gellib predict IMAGE --runs small," in output

    def test_status(self, sweep):
        file, _ = sweep
        output = gellib("status", file, "-p", "opt_alg", "sgd").output
        assert "01-single  done     test accuracy" in output
        assert "2 runs: 2 done" in output

    def test_predict_as_a_table(self, sweep):
        file, _ = sweep
        folder = file.parent / "images" / "test"
        result = gellib("predict", folder, "--runs", file.parent / "small")
        assert result.exit_code == 0
        lines = [line for line in result.output.splitlines() if "dots" in line and "%" in line]
        assert len(lines) == 8

    def test_predict_as_json_reports_a_bad_file_in_its_place(self, sweep, tmp_path):
        file, _ = sweep
        bad = tmp_path / "bad.png"
        bad.write_text("no image")
        good = file.parent / "images" / "test" / "dots" / "00.png"
        run = file.parent / "small" / "01-single"
        result = CliRunner().invoke(
            main, ["predict", str(bad), str(good), "--run", str(run), "--json"]
        )
        assert result.exit_code == 1
        first, second = json.loads(result.stdout)
        assert set(first) == {"file", "error"}
        assert set(second) == {
            "file",
            "label",
            "probabilities",
            "run",
            "set",
            "statement",
            "ood",
            "ood_score",
        }
        assert set(second["probabilities"]) == {"dots", "stripes"}
        assert sum(second["probabilities"].values()) == pytest.approx(1)
        assert second["label"] == max(second["probabilities"], key=second["probabilities"].get)

    def test_predict_to_files(self, sweep, tmp_path):
        file, _ = sweep
        folder, small = file.parent / "images" / "test", file.parent / "small"
        table, page = tmp_path / "out.csv", tmp_path / "out.html"
        outputs = ("--csv", table, "--html", page, "--copy-to", tmp_path / "sorted")
        result = gellib("predict", folder, "--runs", small, *outputs)
        assert result.exit_code == 0 and "8 images: " in result.output
        assert len(table.read_text().splitlines()) == 9
        assert page.read_text().count("data:image/jpeg") == 8
        assert len(list((tmp_path / "sorted").rglob("*.png"))) == 8
        assert not result.stdout
        bad = tmp_path / "bad.png"
        bad.write_text("no image")
        result = gellib("predict", folder, bad, "--runs", small, "--csv", table)
        assert result.exit_code == 1 and "1 cannot be read" in result.output
        assert "not an image" in table.read_text().splitlines()[-1]
        result = gellib("predict", folder, "--runs", small, "--csv", table, "--json")
        assert result.exit_code == 2 and "--json prints all predictions" in result.output

    def test_another_sweep_into_the_same_folder_is_refused(self, sweep):
        file, _ = sweep
        result = gellib("sweep", file, "-p", "opt_alg", "sgd", "-p", "num_epochs", "1")
        assert result.exit_code == 1
        assert "Give --out DIR to keep them" in result.output


@pytest.mark.slow
def test_simulate_writes_a_set_that_loads(tmp_path):
    result = gellib("simulate", "gel", "--out", tmp_path / "new", "--n", "5", "--seed", "3")
    assert result.exit_code == 0
    from gellib.data import load_imageset

    images = load_imageset(tmp_path / "new")
    assert images.classes == ("gel", "not_gel")
    assert len(images) == 10
    again = gellib("simulate", "gel", "--out", tmp_path / "new", "--n", "5")
    assert again.exit_code == 1
    assert "Error" in again.output


@pytest.mark.parametrize("system", ["brain_mri", "alzheimer", "protein"])
def test_simulate_says_what_is_too_few(tmp_path, system):
    result = gellib("simulate", system, "--out", tmp_path / "new", "--n", "5")
    assert result.exit_code == 1 and "n: got 5, expected" in result.output
    assert not (tmp_path / "new").exists()


def test_list_shows_size_networks_and_purpose(tmp_path):
    file = make_sweep_file(tmp_path)
    result = gellib("list", tmp_path)
    assert result.exit_code == 0
    assert "small.yaml  4 runs, resnet18; images: " in result.output
    assert "Does the machinery work?" in result.output
    file.write_text("name: [", encoding="utf-8")
    result = gellib("list", tmp_path)
    assert result.exit_code == 1 and "cannot be read" in result.output
    (tmp_path / "empty").mkdir()
    assert "no sweep files" in gellib("list", tmp_path / "empty").output


@pytest.mark.slow
def test_quick_look_without_images_has_a_few_simulated_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gellib.sweeps.run_sweep", lambda sweep, **_: ran.append(sweep) or stop())
    ran = []

    def stop():
        raise KeyboardInterrupt

    # A clone in use may have images of its systems, which would be found from here, too.
    monkeypatch.setattr("gellib.base.paths.SHIPPED", tmp_path / "package")
    text = "name: s\nsystem: brain_mri\nparams: {dataset_dir: dataset/brain_mri}"
    (tmp_path / "s.yaml").write_text(text.replace("params", f"notebook: {NOTEBOOK}\nparams"))
    dry = gellib("sweep", tmp_path / "s.yaml", "--quick", "--dry-run")
    assert dry.exit_code == 0 and not (tmp_path / "dataset").exists()
    result = gellib("sweep", tmp_path / "s.yaml", "--quick")
    assert "making simulated ones in dataset/brain_mri-quick" in result.output
    (config,) = ran[0].configs.values()
    assert config.dataset_dir == "dataset/brain_mri-quick"
    assert len(list((tmp_path / "dataset" / "brain_mri-quick").rglob("*.*"))) == 96
    again = gellib("sweep", tmp_path / "s.yaml", "--quick")
    assert "making" not in again.output and ran[1].configs == ran[0].configs
    own = gellib("sweep", tmp_path / "s.yaml", "--quick", "-p", "dataset_dir", "dataset/other")
    assert "making" not in own.output and len(ran) == 2
    assert own.exit_code == 2 and "no such folder: 'dataset/other'" in own.output


def test_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "gellib", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("gellib, version")


def test_a_warning_is_a_sentence(tmp_path):
    make_stripes_and_dots(tmp_path / "images", train=4, test=0)
    folder = tmp_path / "images"
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    rows = [f"{i},{file},{file.split('/')[-2]}" for i, file in enumerate(files)]
    (folder / "labels.csv").write_text("\n".join(["id,image,label", *rows]))
    done = CliRunner().invoke(main, ["check", str(folder)])
    assert f"Warning: {folder / 'labels.csv'}: the columns 'id' are not used\n" in done.stderr
    assert "UserWarning" not in done.stderr and ".py:" not in done.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ImportError("libx.so: failed to map segment"), "libx.so: failed to map .*; is there eno"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "'torch'; .*doctor"),
        (MemoryError(), "out of memory"),
        (MemoryError("Unable to allocate 8 GiB"), "out of memory .Unable to allocate 8 GiB"),
    ],
)
def test_what_cannot_be_loaded_is_a_sentence(monkeypatch, error, words):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("gellib.cli.sweeps.load", fail)
    done = gellib("sweep", "x.yaml")
    assert done.exit_code == 1
    assert re.search(f"^Error: .*{words}", done.stderr), done.stderr


def test_a_module_of_ours_that_is_not_there_shows_itself(monkeypatch):
    def fail(*_, **__):
        raise ModuleNotFoundError("No module named 'gellib.x'", name="gellib.x")

    monkeypatch.setattr("gellib.cli.sweeps.load", fail)
    with pytest.raises(ModuleNotFoundError):
        gellib("sweep", "x.yaml")


def test_a_terminal_is_told_at_once_what_takes_time(monkeypatch, capsys):
    say_waiting("loading the model ...")
    assert capsys.readouterr().err == "", "a log or another program gets answers alone"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    say_waiting("loading the model ...")
    assert capsys.readouterr() == ("", "loading the model ...\n")


def test_what_takes_long_is_said_then_and_not_before(monkeypatch, capsys):
    with said_if_slow("waiting for the folder ...", after_s=0.05):
        time.sleep(0.3)
    with said_if_slow("not said", after_s=0.3):
        time.sleep(0.05)
    time.sleep(0.4)
    assert capsys.readouterr() == ("", "waiting for the folder ...\n")
    quick = says_if_slow("not said")(lambda number, *, more: number + more)
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)  # noqa: B023
        assert quick(1, more=2) == 3
    assert capsys.readouterr() == ("", "")
