"""An executed notebook as one page: what it shows, and what it never loads or runs."""

import base64
import io
import re
import sys

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from gellib.cli import main
from gellib.runs import RunFolder
from gellib.sweeps.notebook_page import (
    NotebookPageError,
    render_notebook_page,
    write_notebook_page,
)

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
WIDGET = "application/vnd.jupyter.widget-view+json"


def shown(kind, text, **more):
    return new_output("display_data", {kind: text, "text/plain": "plain"}, metadata=more)


@pytest.fixture(scope="module")
def notebook():
    return new_notebook(
        cells=[
            new_markdown_cell("# For the notebook", metadata={"tags": ["notebook-only"]}),
            new_code_cell("sweep_dir = '<here>'", metadata={"tags": ["injected-parameters"]}),
            new_code_cell(
                "opening()",
                metadata={"tags": ["answer"]},
                outputs=[
                    shown("text/markdown", "# gel: which **one**?"),
                    shown("image/png", PIXEL, **{"image/png": {"alt": '6 of 9 "gels"'}}),
                ],
            ),
            new_markdown_cell("## The models\n\n$5 to $9"),
            new_markdown_cell("[![Open](https://a.example/badge.svg)](https://a.example)"),
            new_code_cell("t", outputs=[shown("text/html", "<table><tr><td>1</td></tr></table>")]),
            new_code_cell("w", outputs=[shown(WIDGET, {"model_id": "a"})]),
            new_markdown_cell("## The *best*"),
            new_code_cell("p", outputs=[new_output("stream", name="stderr", text="\x1b[31mno")]),
        ]
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(notebook):
    return render_notebook_page(notebook)


@pytest.mark.slow
def test_nothing_is_loaded_and_no_script_runs(page):
    assert "<script" not in page and "<link" not in page and "@import" not in page
    assert not re.search(r"(?:src|href)=\"(?!#|data:image/png)", page)
    assert "url(" not in page and "//" not in re.sub(r"base64,[\w+/=]+", "", page)
    assert "default-src 'none'" in page


def test_its_title_and_its_contents_are_its_headings(page):
    assert "<title>gel: which one?</title>" in page and "For the notebook" not in page
    nav = page.split("<nav")[1].split("</nav>")[0]
    links = re.findall(r'<a href="#([\w-]+)">([^<]+)</a>', nav)
    assert [text for _, text in links] == ["The models", "The best"]
    for name, _ in links:
        assert f'<h2 id="{name}">' in page


def test_figures_have_alternative_text_and_tables_scroll_by_themselves(page):
    assert re.search(r"<img alt='6 of 9 \"gels\"'|<img alt=\"6 of 9 &quot;gels&quot;\"", page)
    assert re.search(r'<div class="wide" tabindex="0"><table>', page)
    assert 'class="cell celltag_answer"' in page


def test_code_is_folded_away_at_the_end_and_widgets_are_left_out(page):
    body, code = page.split("<details")
    assert "sweep_dir" not in body and "opening()" not in body and "sweep_dir" in code
    assert "&lt;here&gt;" in code and "open" not in code.split(">")[0]
    assert "plain" not in body, "a bar that was going on"
    assert "no" in body and "\x1b" not in page


def test_it_is_written_for_paper_and_for_narrow_screens(page):
    assert "@media print" in page and "max-width: 600px" in page and "viewport" in page


@pytest.mark.parametrize("content", [None, "", "{", "{}", "[]", '"x"', '{"cells": 3}', "\x00"])
def test_what_is_no_notebook_is_said_and_nothing_is_written(tmp_path, content):
    file = tmp_path / "train.ipynb"
    if content is not None:
        file.write_text(content)
    with pytest.raises(NotebookPageError, match=r"train\.ipynb cannot be read: .*expected a noteb"):
        write_notebook_page(file, tmp_path / "train.html")
    assert not (tmp_path / "train.html").exists()


def test_an_environment_without_nbconvert_is_told_what_to_install(tmp_path, notebook, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbconvert", None)
    with pytest.raises(NotebookPageError, match="pip install nbconvert"):
        render_notebook_page(notebook)


def test_the_command_writes_the_page_of_a_run_beside_its_notebook(tmp_path, notebook, monkeypatch):
    run = RunFolder(tmp_path / "mine" / "01-resnet18")
    run.path.mkdir(parents=True)
    nbformat.write(notebook, run.notebook)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["report", "mine/01-resnet18"])
    assert (done.exit_code, done.output) == (0, "mine/01-resnet18/train.html\n")
    page = run.page.read_text(encoding="utf-8")
    assert "<title>01-resnet18: gel: which one?</title>" in page
    assert "sweep_dir = '&lt;here&gt;'" in page.split("<details")[0], "its parameters"


def test_the_command_says_what_it_expected(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "sweep.json").write_text("{}")
    for folder, said in (
        ("runs", "runs has neither a sweep nor a run; expected the folder of a sweep"),
        ("nowhere", "nowhere is not a folder; expected the folder of a sweep"),
    ):
        done = CliRunner().invoke(main, ["report", folder])
        assert done.exit_code == 1 and said in done.output
    assert "in it there are: runs/mine" in CliRunner().invoke(main, ["report", "runs"]).output


@pytest.mark.parametrize("error", [RecursionError, ValueError, KeyError, OSError])
def test_what_nbconvert_cannot_convert_is_said_in_words(notebook, monkeypatch, error):
    from nbconvert import HTMLExporter

    def fail(*_, **__):
        raise error("too deep")

    monkeypatch.setattr(HTMLExporter, "from_notebook_node", fail)
    with pytest.raises(NotebookPageError, match=f"nbconvert: {error.__name__}: .*too deep"):
        render_notebook_page(notebook)


@pytest.mark.parametrize(("size", "tall"), [((60, 40), False), ((40, 40), False), ((40, 60), True)])
def test_a_portrait_is_printed_larger_than_other_figures(size, tall):
    buffer = io.BytesIO()
    Image.new("L", size).save(buffer, "png")
    data = base64.b64encode(buffer.getvalue()).decode()
    cell = new_code_cell("p", outputs=[shown("image/png", data)])
    made = render_notebook_page(new_notebook(cells=[cell]))
    assert ('class="tall"' in made) is tall


@pytest.mark.parametrize("data", ["gif;base64,R0lGODlh", "png;base64,iVBO", "png;base64,?", "png,"])
def test_a_figure_that_is_no_png_is_shown_as_it_is(data):
    cell = new_markdown_cell(f'<img src="data:image/{data}" alt="a">')
    page = render_notebook_page(new_notebook(cells=[cell]))
    assert 'class="tall"' not in page and 'alt="a"' in page
