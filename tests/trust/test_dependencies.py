"""What gellib is made of: no call that is known to be unsafe, and licences that all may accept."""

import subprocess
import sys

import pytest
from making.licences import dependencies, is_allowed, licence

from gellib.base.paths import PROJECT_ROOT


@pytest.mark.slow
def test_bandit_finds_nothing():
    pytest.importorskip("bandit")
    command = [sys.executable, "-m", "bandit", "-q", "-c", "pyproject.toml", "-r", "gellib"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_bandit_is_asked_for_what_matters(tmp_path):
    pytest.importorskip("bandit")
    file = tmp_path / "bad.py"
    file.write_text("import yaml\nyaml.load('x', yaml.Loader)\nhash(eval('1'))\n")
    command = [sys.executable, "-m", "bandit", "-q", "-c", str(PROJECT_ROOT / "pyproject.toml")]
    done = subprocess.run([*command, str(file)], capture_output=True, text=True)
    assert done.returncode == 1 and "B506" in done.stdout and "B307" in done.stdout


def test_every_licence_is_known_and_allowed():
    found = {name: licence(name, one) for name, one in dependencies().items()}
    assert len(found) > 60 and {"torch", "pillow", "tornado"} <= found.keys()
    bad = {name: text for name, text in found.items() if not is_allowed(name, text)}
    assert not bad, f"not among the licences of tests/making/licences.py: {bad}"


@pytest.mark.parametrize(
    "text", ["GPL-3.0-only", "AGPL-3.0", "GNU General Public License v2 (GPLv2)", "not stated",
             "MIT AND GPL-2.0-or-later", "CC-BY-NC-4.0", "Proprietary, limited"]
)  # fmt: skip
def test_other_licences_are_refused(text):
    assert not is_allowed("some-package", text)
