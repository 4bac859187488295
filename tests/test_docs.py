"""The pages build as a site without a warning, with the reference and the gallery in it."""

import ast
import importlib.util
import os
import re
import subprocess
import sys

import pytest

from gellib.base.paths import PROJECT_ROOT
from gellib.evaluation.registry import all_metrics

MOST_BYTES = 1_500_000


def test_the_gallery_is_small_and_complete():
    files = {file.name for file in (PROJECT_ROOT / "docs" / "gallery").glob("*.png")}
    page = (PROJECT_ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert files and all(f"(gallery/{name})" in page for name in files)
    sizes = [file.stat().st_size for file in (PROJECT_ROOT / "docs" / "gallery").iterdir()]
    assert sum(sizes) < MOST_BYTES


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    reference = (tmp_path / "reference" / "gellib" / "index.html").read_text(encoding="utf-8")
    assert "gellib.api.sweep" in reference and "Parameters" in reference
    gallery = tmp_path / "gallery" / "index.html"
    shown = re.findall(r'src="([^"]+[.]png)"', gallery.read_text(encoding="utf-8"))
    assert any(name.endswith("tied_models.png") for name in shown)
    assert all((gallery.parent / name).is_file() for name in shown)


def _address_maker():
    """The script that writes the address, which is no module of the package."""
    place = PROJECT_ROOT / "docs" / "make_address.py"
    spec = importlib.util.spec_from_file_location("make_address", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_address_of_the_repository_follows_from_its_one_place():
    maker = _address_maker()
    address = maker.read_address()
    slug = "/".join(address.split("/")[-2:])
    for page in maker.pages():
        text = page.read_text(encoding="utf-8")
        assert maker.with_address(text, address) == text, page.name
        moved = maker.with_address(text, "https://example.org/who/what")
        left = len(re.findall(r"^Repository = ", moved, re.M))
        assert moved.count(slug) == left, f"{page.name}: an address that make_address.py misses"
    others = [
        *(PROJECT_ROOT / "docs").rglob("*.md"), PROJECT_ROOT / "mkdocs.yml",
        PROJECT_ROOT / "CONTRIBUTING.md", *(PROJECT_ROOT / "gellib").rglob("*.py"),
    ]  # fmt: skip
    assert not [page for page in others if slug in page.read_text(encoding="utf-8")]


def test_the_readme_is_short_and_has_the_test_command():
    text = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) < 1500
    assert re.search(r"^ *pip install -e '\.\[test\]' && pytest", text, re.M), "CI reads it"


def test_each_score_is_explained():
    text = (PROJECT_ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    part = text.split("## The scores")[1].split("\n## ")[0]
    one, several = part.split("| Score | Images with several labels |")
    for task, table in (("single_label", one), ("multilabel", several)):
        explained = {name for row in re.findall(r"^\| (`.*?`) \|", table, re.M)
                     for name in re.findall(r"`(\w+)`", row)}  # fmt: skip
        assert explained == {metric.name for metric in all_metrics(task)}


def test_files_that_contributing_names_are_there():
    text = (PROJECT_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./]+/[\w.]*)`", text))
    assert len(named) > 50
    roots = PROJECT_ROOT, PROJECT_ROOT / "gellib", PROJECT_ROOT / "gellib" / "report" / "export"
    missing = [name for name in named if not any((root / name).exists() for root in roots)]
    assert missing == ["timm/"] or not missing, "a file was moved or renamed"


def _public_functions(tree):
    """The functions of a module and the methods of its public classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (inner for inner in node.body if isinstance(inner, ast.FunctionDef))


@pytest.mark.slow
def test_functions_of_four_parameters_or_more_document_them():
    files = sorted((PROJECT_ROOT / "gellib").rglob("*.py"))
    missing = []
    for file in files:
        for node in _public_functions(ast.parse(file.read_text(encoding="utf-8"))):
            if node.name.startswith("_"):
                continue
            # The help of a command is its docstring and that of its options.
            if any("click.command" in ast.unparse(decorator) for decorator in node.decorator_list):
                continue
            names = {arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)} - {"self", "cls"}
            if len(names) >= 4 and "Parameters\n" not in (ast.get_docstring(node) or ""):
                missing.append(f"{file.name}: {node.name}")
    assert not missing
