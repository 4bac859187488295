"""The summary of a sweep in its folder: the notebook, executed, and the page made of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gellib.base.paths import find_path
from gellib.runs import SweepFolder
from gellib.sweeps.engine import NotebookError
from gellib.sweeps.execute import execute
from gellib.sweeps.notebook_page import NotebookPageError, write_notebook_page

SUMMARY_NOTEBOOK = "notebooks/3_summary.ipynb"


@dataclass(frozen=True)
class MadeSummary:
    """Where the notebook and the page are, each None where it could not be made, and why."""

    notebook: Path | None = None
    page: Path | None = None
    problem: str = ""


def make_summary(folder: SweepFolder) -> MadeSummary:
    """Execute the summary notebook for a sweep, and write it as a page."""
    try:
        execute(
            find_path(SUMMARY_NOTEBOOK), folder.summary, {"sweep_dir": os.path.relpath(folder.path)}
        )
    except NotebookError as err:
        return MadeSummary(problem=f"the summary failed: {err}; see {folder.summary}")
    try:
        return MadeSummary(folder.summary, write_notebook_page(folder.summary, folder.page))
    except (OSError, NotebookPageError) as err:
        return MadeSummary(folder.summary, problem=f"{folder.page} was not written: {err}")
