"""The doctor finds what is there, and says what to do about what is not."""

import json
import os
import re
import subprocess
import sys
import webbrowser
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from gellib.base.paths import PROJECT_ROOT
from gellib.cli import main
from gellib.report import doctor


def told(look):
    return list(doctor._looked(look))


def test_a_package_that_is_missing_or_of_another_version_is_needed(monkeypatch):
    lines = [
        "torch>=2.6,!=2.13.0", "no-such-package>=1", "numpy>=99", 'captum>=0.7; extra == "explain"',
        'nothing-there>=1; extra == "app"', 'winonly>=1; sys_platform == "win32"',
    ]  # fmt: skip
    monkeypatch.setattr(doctor, "requires", lambda name: lines)
    offered = SimpleNamespace(get_all=lambda name: ["app", "explain", "test"])
    monkeypatch.setattr(doctor, "metadata", lambda name: offered)
    monkeypatch.setattr(sys, "platform", "linux")
    found = told(doctor._packages)
    needed = {one.name: one.to_do for one in found if one.needed}
    assert needed == {
        "no-such-package": 'pip install "no-such-package>=1"',
        "numpy": 'pip install "numpy>=99"',
    }
    (extras,) = told(doctor._extras)
    assert "installed: explain; not: app (pip install 'gellib[app]')" in extras.value


def test_every_extra_is_told(monkeypatch):
    """Those of the project's file, whatever version of it is installed."""
    tomllib = pytest.importorskip("tomllib")
    text = (PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    own = tomllib.loads(text)["project"]["optional-dependencies"]
    lines = [f'{line}; extra == "{name}"' for name, wanted in own.items() for line in wanted]
    monkeypatch.setattr(doctor, "requires", lambda name: lines)
    monkeypatch.setattr(doctor, "metadata", lambda name: SimpleNamespace(get_all=lambda _: [*own]))
    (found,) = told(doctor._extras)
    named = re.sub(r"installed: |not: | \(.*", "", found.value).replace(";", ",").split(", ")
    assert {"docx", "export", "app"} <= {*named} - {"none"} == {*own} - {"test", "docs"}
    monkeypatch.setattr(doctor, "metadata", lambda name: SimpleNamespace(get_all=lambda _: None))
    assert told(doctor._extras)[0].value == "installed: none"


def test_what_cannot_be_looked_at_does_not_end_it():
    def _broken():
        raise ImportError("libcudart.so.12: cannot open\nshared object file")
        yield

    (found,) = told(_broken)
    assert found.name == "broken" and found.needed
    assert "libcudart.so.12: cannot open shared object file" in found.value


@pytest.mark.parametrize(
    ("here", "elsewhere", "kernels", "advice"),
    [
        (True, True, {"python3": sys.executable}, ""),
        (False, False, {}, "pip install jupyterlab"),
        (False, True, {"python3": sys.executable}, "ipykernel install --user"),
        (False, True, {"python3": "/usr/bin/python3", "r": "R"}, "ipykernel install --user"),
        (False, True, {"gellib": sys.executable}, ""),
    ],
)
def test_jupyter_of_another_environment(monkeypatch, here, elsewhere, kernels, advice):
    def which(name, path=None):
        if path is None:
            return f"/opt/other/{name}" if elsewhere else None
        if Path(name).is_absolute():
            return name
        return f"{path}/{name}" if here else None

    monkeypatch.setattr(doctor, "shutil", SimpleNamespace(which=which))
    specs = {name: {"spec": {"argv": [argv, "-m", "x"]}} for name, argv in kernels.items()}
    manager = SimpleNamespace(get_all_specs=lambda: specs)
    from jupyter_client import kernelspec

    monkeypatch.setattr(kernelspec, "KernelSpecManager", lambda **_: manager)
    (found,) = told(doctor._jupyter)
    assert advice in found.to_do and bool(advice) == bool(found.to_do)
    ours = [name for name, argv in kernels.items() if argv == sys.executable]
    assert (f"kernel {', '.join(ours)}" if ours else "no kernel") in found.value


def test_the_cache_of_a_folder_that_is_read_only(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "cache_folder", lambda: tmp_path / "runs" / ".cache")
    (found,) = told(doctor._cache)
    assert not found.needed and not found.to_do
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    (found,) = told(doctor._cache)
    assert found.needed and str(tmp_path) in found.to_do


@pytest.mark.slow
def test_the_command_ends_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["doctor", "--json"])
    found = {one["name"]: one for one in json.loads(result.stdout)}
    assert {"gellib", "Python", "packages", "extras", "processor", "precision", "GPU", "weights",
            "cache", "models", "Jupyter", "browser"} <= set(found)  # fmt: skip
    assert not any(one["value"].startswith("cannot be looked at") for one in found.values())
    assert result.exit_code == any(one["needed"] for one in found.values())
    monkeypatch.setattr(doctor, "_BROWSERS", ())

    def none():
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", none)
    text = CliRunner().invoke(main, ["doctor"]).stdout
    assert "To do:" in text and "browser: none here" in text.split("To do:")[1]


def test_the_cache_is_shown_and_deleted_when_it_is_said_so(tmp_path):
    def gellib(*arguments, given=""):
        return CliRunner().invoke(main, ["cache", "--dir", str(tmp_path), *arguments], input=given)

    assert "empty" in gellib("--clear").output
    file = Path(tmp_path / f"duplicates-{'0' * 40}.json")
    other = Path(tmp_path / "photo.png")
    file.write_text("{}")
    other.write_text("")
    assert "duplicates" in gellib().output and file.exists()
    refused = gellib("--clear", given="n\n")
    assert refused.exit_code == 1 and file.exists()
    done = gellib("--clear", "--yes")
    assert done.exit_code == 0 and "deleted 1 files" in done.output
    assert not file.exists() and other.exists()


@pytest.mark.parametrize(
    ("typed", "offered"), [("pre", ["predict", "pretrain"]), ("doc", ["doctor"])]
)
def test_a_shell_completes_commands(typed, offered):
    code = "import sys; sys.argv = ['gellib']; from gellib.cli import main; main()"
    asked = {
        "_GELLIB_COMPLETE": "bash_complete",
        "COMP_WORDS": f"gellib {typed}",
        "COMP_CWORD": "1",
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | asked, check=False
    )
    assert done.stdout.split() == [f"plain,{name}" for name in offered]
