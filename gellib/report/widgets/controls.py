"""The controls of the prediction form: lists, fields and buttons, each with its label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from gellib.data.foreign_files import READ, READ_SUFFIXES
from gellib.report.widgets.about_model import run_label
from gellib.runs import RunFolder

NOTHING = "choose …"
UNTRAINED = "no training"


def model_list(runs: Sequence[RunFolder]) -> widgets.Dropdown:
    """Make the list of models, best first; the last one needs no run."""
    labels = [(run_label(run, number + 1), number) for number, run in enumerate(runs)]
    options = [*labels, (f"{UNTRAINED} · gel or not, for a start", UNTRAINED)]
    return _wide(widgets.Dropdown(description="Model", options=options, value=options[0][1]))


def image_list() -> widgets.Dropdown:
    """Make the list of test images, empty."""
    return _wide(widgets.Dropdown(description="Test image", options=[(NOTHING, "")]))


def path_field() -> widgets.Text:
    """Make the field for the path of an image or a folder."""
    field = _wide(widgets.Text(description="Or a path", placeholder="image or folder, then Enter"))
    field.continuous_update = False
    return field


def heat_map_box() -> widgets.Checkbox:
    """Make the box that asks for heat maps."""
    found = widgets.Checkbox(description="Show what decided (heat map)", indent=False)
    found.layout.width = "auto"
    return found


def upload_button(
    opened: Callable[[Any], None], replaces: widgets.FileUpload | None = None
) -> widgets.FileUpload:
    """Make the button that uploads images; `opened` takes its value.

    It has the layout and style of the one that it replaces: a button that is closed leaves both
    behind, in the kernel and in the page.
    """
    kept = {} if replaces is None else {"layout": replaces.layout, "style": replaces.style}
    button = widgets.FileUpload(
        accept=",".join(READ_SUFFIXES), multiple=True, description="Upload images", **kept
    )
    button.layout.width = "auto"
    button.observe(lambda change: opened(change["new"]), names="value")
    return button


def what_is_read(*, in_jupyter: bool = True) -> widgets.HTML:
    """Say which files are read, and what an upload in Jupyter cannot do."""
    other = "phone photographs in HEIC, .1sc, CZI and other files: save them as JPEG or TIFF"
    # Jupyter closes the connection at a message of more than 10 MiB, without a word.
    large = (
        "Jupyter uploads at most 10 MB at once: for more, drag the files into its file browser, "
        "and give their path"
    )
    more = f" {large}." if in_jupyter else ""
    return widgets.HTML(f"<small>{READ} are read; {other}.{more}</small>")


def _wide(control: Any) -> Any:
    control.layout.width = "min(720px, 98%)"
    control.style.description_width = "90px"
    return control
