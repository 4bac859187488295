"""The house is in order: imports go one way, lint and format are clean, links lead somewhere."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gellib.config import PROJECT_ROOT

# In the order that data flows; a module imports from its own group and those above.
GROUPS = [
    {"config", "calls", "hints"},
    {"images", "datasets", "splits", "partition", "duplicates", "shortcuts"},
    {"metrics", "statistics"},
    {"backbones", "heads", "features", "training", "explain", "environment", "suspects"},
    {"runs", "kernels", "preload"},
    {"plots"},
    {
        "baselines",
        "comparison",
        "experiment",
        "conclusions",
        "summary",
        "export",
        "predictor",
        "widgets",
        "sweeps",
        "check",
    },
    {"cli", "__main__"},
]
# Made for themselves: they stand beside the flow, and training imports neither.
APART = {"simulate", "pretrain", "zeroshot"}
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "dataset/README.md",
    *sorted(f"docs/{page.name}" for page in (PROJECT_ROOT / "docs").glob("*.md")),
]


def modules():
    for path in sorted((PROJECT_ROOT / "gellib").rglob("*.py")):
        name = path.relative_to(PROJECT_ROOT / "gellib").parts[0].removesuffix(".py")
        if name != "__init__":
            yield name, path


def imported(path: Path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gellib":
            parts = node.module.split(".")
            if len(parts) > 1:
                yield parts[1]
            else:
                yield from (alias.name for alias in node.names if alias.name != "__version__")


def rank(name):
    return next(i for i, group in enumerate(GROUPS) if name in group)


def test_imports_go_one_way():
    for name, path in modules():
        if name in APART:
            continue
        for other in imported(path):
            if other == "kernels" or name == "cli" or other in APART:
                continue
            assert rank(other) <= rank(name), f"{path.name} imports {other}"


def test_training_imports_no_simulation():
    for name, path in modules():
        if name not in APART | {"cli"}:
            assert "simulate" not in set(imported(path)), path


def test_metrics_know_nothing_of_torch():
    for name in (
        "metrics",
        "statistics",
        "runs",
        "datasets",
        "splits",
        "partition",
        "images",
        "simulate",
    ):
        for path in (p for n, p in modules() if n == name):
            assert not re.search(r"^\s*(import|from) torch", path.read_text(), re.M), path


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        [
            "nbstripout",
            "--keep-id",
            "--verify",
            *sorted(map(str, (PROJECT_ROOT / "notebooks").glob("*.ipynb"))),
        ],
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
    from gellib.features.steps import known_steps
    from gellib.sweeps.spec import SweepFile
    from gellib.training.optimise import SCHEDULES

    parameters = (PROJECT_ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    for name, numbers in (known_steps() | SCHEDULES).items():
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
