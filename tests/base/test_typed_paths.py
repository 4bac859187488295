"""Paths in commands that are to be copied: each is one word of a shell, whatever is in it."""

import os
import shlex

import pytest
from click.testing import CliRunner
from making.sweeps import make_cross_validated_sweep

from gellib.base.paths import in_shell
from gellib.cli import main
from gellib.report.summary import Summary

NAMES = [
    "plain",
    "runs/mine",
    "meine Gele",
    "it's",
    "$(touch x)",
    "a;b",
    "a&b",
    "übrige",
    "a*b",
    '"q"',
]


@pytest.mark.skipif(os.name == "nt", reason="the quotes of a POSIX shell")
@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_one_word(name):
    assert shlex.split(f"gellib check {in_shell(name)} --html x.html")[2] == name
    assert in_shell("runs/mine") == "runs/mine"
    assert in_shell("-x") == "./-x"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the quotes of a POSIX shell")
@pytest.mark.parametrize("name", ["meine Gele", "it's"])
def test_the_commands_of_an_answer_can_be_copied(tmp_path, name):
    sweep = make_cross_validated_sweep(tmp_path / name, [0.95])
    text = Summary(sweep.path).answer_text()
    (line,) = (line for line in text.splitlines() if line.startswith("To predict"))
    words = shlex.split(line.removeprefix("To predict: "))
    assert words == ["gellib", "predict", "IMAGES", "--runs", sweep.path.as_posix()]


@pytest.mark.skipif(os.name == "nt", reason="the quotes of a POSIX shell")
def test_a_new_project_says_commands_that_can_be_copied(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = tmp_path / "meine Gele"
    images.mkdir()
    done = CliRunner().invoke(main, ["new", "mein Projekt", "--images", str(images)])
    assert done.exit_code == 0 and shlex.split(done.output.splitlines()[1]) == [
        "cd",
        "mein Projekt",
    ]
    text = (tmp_path / "mein Projekt" / "runs" / "my_images.yaml").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if "gellib check" in line)
    assert shlex.split(line.lstrip("# ")) == ["gellib", "check", images.as_posix()]
