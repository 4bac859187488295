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


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "dataset/README.md"])
def test_links_lead_to_files(page):
    text = (PROJECT_ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((PROJECT_ROOT / page).parent / target).exists(), target


def test_readme_lists_every_parameter():
    from gellib.config import RunConfig

    text = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    for name, field in RunConfig.model_fields.items():
        assert f"| `{name}` |" in text, name
        assert f"| {field.description} |" in text, name
