"""An executed notebook as one HTML page: no other file, no network, no script, code folded away."""

from __future__ import annotations

import base64
import copy
import struct
from pathlib import Path

from gellib.base.files import write_text
from gellib.base.notebook_files import nbformat

# isort: split
from nbformat import NotebookNode
from nbformat.v4 import new_output

# Cells with this tag are for those who have the notebook itself.
NOTEBOOK_ONLY = "notebook-only"
_WIDGET = "application/vnd.jupyter.widget-view+json"
# What an output is shown as: the first of these that it has. Never a script.
_SHOWN = ["image/png", "text/html", "text/markdown", "text/plain"]


class NotebookPageError(ValueError):
    """A notebook cannot be written as a page; the message says why and what to do."""


def write_notebook_page(notebook: Path, page: Path, *, run: str = "") -> Path:
    """Write an executed notebook as a page.

    `run` is the name of the run whose notebook it is: the page has it, and its parameters.

    Raises
    ------
    NotebookPageError
        When the notebook cannot be read, or nbconvert is not installed.
    """
    reason = "it is not a notebook"
    try:
        node = nbformat.read(str(notebook), as_version=4)
        reason = "" if node.get("cells") else "it has no cells"
    except OSError as err:
        reason = err.strerror or str(err)
    except (ValueError, AttributeError, LookupError, TypeError, nbformat.ValidationError):
        # Of a file that is no notebook, nbformat raises an error of its own, or what a missing
        # key leads to.
        pass
    if reason:
        raise NotebookPageError(
            f"{notebook} cannot be read: {reason}; expected a notebook that was executed"
        )
    write_text(page, render_notebook_page(node, run=run))
    return page


def render_notebook_page(notebook: NotebookNode, *, run: str = "") -> str:
    """Return the page of a notebook: its headings to jump by, texts and outputs, the code folded.

    What stands in an output as HTML is shown as HTML; whatever it holds, no script runs and nothing
    is loaded: the page forbids both.

    Raises
    ------
    NotebookPageError
        When nbconvert is not installed, as in an environment of an earlier gellib, or fails.
    """
    # Only here: they take half a second to import, and a sweep needs them at its end.
    from gellib.sweeps.notebook_page_template import CELLS_TEMPLATE, PAGE_TEMPLATE

    try:
        from bs4 import BeautifulSoup
        from nbconvert import HTMLExporter
    except ImportError as err:
        raise NotebookPageError(f"pages need nbconvert ({err}): pip install nbconvert") from err
    from traitlets.config import Config

    exporter = HTMLExporter(
        config=Config(
            NbConvertBase={"display_data_priority": _SHOWN},
            HTMLExporter={"exclude_anchor_links": True},
            TagRemovePreprocessor={"enabled": True, "remove_cell_tags": [NOTEBOOK_ONLY]},
        ),
        template_name="base",
        raw_template=CELLS_TEMPLATE,
    )
    try:
        html, _ = exporter.from_notebook_node(_as_shown(notebook, parameters=bool(run)))
    except Exception as err:  # of nbconvert and of what it converts with; runs are done by then
        raise NotebookPageError(f"nbconvert: {type(err).__name__}: {err}") from err
    soup = BeautifulSoup(html, "html.parser")
    contents = []
    for number, heading in enumerate(soup.select("h2"), start=1):
        heading["id"] = f"part-{number}"
        contents.append((heading["id"], heading.get_text()))
    for link in soup.select("a"):
        # Markdown makes a link of every address, also of one within a name.
        if not str(link.get("href", "")).startswith("#"):
            link.unwrap()
    for image in soup.select("img"):
        if not str(image.get("src", "")).startswith("data:"):
            image.decompose()  # a badge, which is elsewhere
        elif _is_tall(str(image["src"])):
            image["class"] = "tall"
    for table in soup.select("table"):
        # A table that is wider than the screen scrolls, and not the page with it.
        table.wrap(soup.new_tag("div", attrs={"class": "wide", "tabindex": "0"}))
    title = soup.select_one("h1")
    return PAGE_TEMPLATE.render(
        title=": ".join(filter(None, (run, title.get_text() if title else ""))) or "Notebook",
        run=run,
        contents=contents,
        body=str(soup),
        code=[cell.source for cell in notebook.cells if cell.cell_type == "code"],
    )


def _is_tall(address: str) -> bool:
    """Whether a PNG within a page is a portrait, such as a grid of images: by its header."""
    kind, _, data = address.partition(";base64,")
    try:
        width, height = struct.unpack(">II", base64.b64decode(data[:32])[16:])
    except (ValueError, struct.error):  # a damaged one, which the browser does not show either
        return False
    return kind == "data:image/png" and bool(height > 1.1 * width)


def _as_shown(notebook: NotebookNode, *, parameters: bool) -> NotebookNode:
    """Leave out widgets, such as bars; show the parameters that a run was given as an output."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [one for one in cell.outputs if _WIDGET not in one.get("data", {})]
        if parameters and "injected-parameters" in cell.metadata.get("tags", []):
            cell.outputs = [new_output("stream", name="stdout", text=cell.source)]
    return notebook
