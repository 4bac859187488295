"""The house is in order: imports go one way, lint and format are clean, links lead somewhere."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gellib.base.paths import PROJECT_ROOT

_NO_WEIGHTS = shutil.ignore_patterns("weights", "__pycache__")
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "dataset/README.md",
    *sorted(f"docs/{page.name}" for page in (PROJECT_ROOT / "docs").glob("*.md")),
]


def test_evaluation_knows_nothing_of_torch():
    for wing in ("base", "evaluation", "runs", "data", "labsim/simulate"):
        for path in (PROJECT_ROOT / "gellib" / wing).rglob("*.py"):
            if path.name != "seeding.py":
                text = path.read_text(encoding="utf-8")
                assert not re.search(r"^(import|from) torch", text, re.M), path


def test_imports_go_down_the_house():
    done = lint_imports(PROJECT_ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_an_import_upwards_is_found(tmp_path):
    shutil.copytree(PROJECT_ROOT / "gellib", tmp_path / "gellib", ignore=_NO_WEIGHTS)
    shutil.copy(PROJECT_ROOT / "pyproject.toml", tmp_path)
    with open(tmp_path / "gellib" / "training_run" / "run.py", "a", encoding="utf-8") as file:
        file.write("\n\ndef _up():\n    import gellib.report.summary\n")
    done = lint_imports(tmp_path)
    assert done.returncode != 0
    assert "gellib.training_run is not allowed to import gellib.report" in done.stdout


def test_no_test_looks_at_what_a_user_has_in_the_clone():
    """Folders runs/ and dataset/ hold more than is committed where the clone is in use."""
    listed = r'"(runs|dataset)"\)?\.(r?glob|iterdir)|"list",? *str\(PROJECT_ROOT'
    for path in (PROJECT_ROOT / "tests").rglob("test_*.py"):
        if path.name != Path(__file__).name:
            assert not re.search(listed, path.read_text(encoding="utf-8")), path


def lint_imports(folder):
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_types_are_right():
    done = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=PROJECT_ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        pytest.param(
            [
                "nbstripout",
                "--keep-id",
                "--verify",
                *sorted(map(str, (PROJECT_ROOT / "notebooks").glob("*.ipynb"))),
            ],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["lint", "format", "nbstripout"],
)
def test_checks_are_clean(command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=PROJECT_ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def headings(page: Path) -> set[str]:
    """Name the headings of a page as GitHub does in links: lower case, hyphens for spaces."""
    lines = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page):
    path = PROJECT_ROOT / page
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text(encoding="utf-8")):
        file, _, heading = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        assert not heading or heading in headings(target), link


def test_readme_leads_to_every_page():
    text = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert f"]({page})" in text, page


def test_every_parameter_is_documented():
    from gellib.config import RunConfig

    text = (PROJECT_ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    for name, field in RunConfig.model_fields.items():
        assert f"| `{name}` |" in text, name
        assert f"| {field.description} |" in text, name


def test_steps_schedules_and_keys_are_documented_with_their_defaults():
    from gellib.config.expressions import AUGMENTATION_STEPS, SCHEDULES
    from gellib.sweeps.sweep_file import SweepFile

    parameters = (PROJECT_ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    for name, numbers in (AUGMENTATION_STEPS | SCHEDULES).items():
        written = ", ".join(f"{key}={number.default:g}" for key, number in numbers.items())
        assert f"`{name}({written})`" in parameters, name
    sweeps = (PROJECT_ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    for key in SweepFile.model_fields:
        assert f"| `{key}` |" in sweeps, key


@pytest.mark.parametrize("name", ["sweep", "check"])
def test_options_are_documented(name):
    from gellib.cli import main

    page = PROJECT_ROOT / "docs" / {"sweep": "sweeps.md", "check": "check.md"}[name]
    text = page.read_text(encoding="utf-8")
    for option in main.commands[name].params:
        if option.param_type_name == "option":
            assert f"| `{option.opts[0]}" in text, option.opts


def test_every_progress_bar_says_what_it_counts():
    nameless = []
    for path in sorted((PROJECT_ROOT / "gellib").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = call.func.id if isinstance(call, ast.Call) and hasattr(call.func, "id") else ""
            given = {word.arg for word in call.keywords} if name else set()
            opens = name == "tqdm" or (name == "progress" and "total" in given)
            # `None` is `**words`, with what the caller says.
            if opens and not given & {"desc", None}:
                nameless.append(f"{path.name}:{call.lineno}")
    assert nameless == []
