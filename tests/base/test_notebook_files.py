"""What reads notebooks does not wait for parsers of web addresses."""

import importlib.util
import re
import subprocess
import sys

import pytest

from gellib.base.paths import PROJECT_ROOT


@pytest.mark.slow
@pytest.mark.parametrize("first", ["sweeps.driver", "sweeps.engine", "report.app.server"])
def test_notebooks_are_read_without_them(first):
    code = (
        f"import sys, gellib.{first}\n"
        "assert 'nbformat' in sys.modules and 'rfc3987_syntax' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_whatever_reads_notebooks_imports_nbformat_there():
    for path in sorted((PROJECT_ROOT / "gellib").rglob("*.py")):
        text = path.read_text()
        other = re.search(
            r"^\s*(?:import|from) (?:nbformat|nbclient|nbconvert|papermill)", text, re.M
        )
        ours = re.search(r"^(?:import|from) gellib\.base\.notebook_files", text, re.M)
        if other and path.name != "notebook_files.py":
            assert ours and ours.start() < other.start(), path


@pytest.mark.slow
def test_who_needs_them_gets_them():
    if importlib.util.find_spec("rfc3987_syntax") is None:
        pytest.skip("rfc3987-syntax is not installed")
    code = (
        "import gellib.base.notebook_files\nfrom rfc3987_syntax import is_valid_syntax\n"
        "assert is_valid_syntax('iri', 'https://example.org/') and not is_valid_syntax('iri', ' ')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_notebooks_are_checked_as_before():
    code = (
        "from gellib.base.notebook_files import nbformat\n"
        "from nbformat.v4 import new_notebook\n"
        "try:\n    nbformat.validate(new_notebook(cells=[{}]))\n"
        "except nbformat.ValidationError as err:\n"
        "    assert 'any of the given schemas' in str(err)\n"
        "else:\n    raise SystemExit('an invalid notebook passed')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
