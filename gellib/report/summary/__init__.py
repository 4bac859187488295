"""The summary of a sweep: what was run, tables, conclusions and figures, from its records."""

from gellib.report.conclusions import conclusions
from gellib.report.summary.best import image_root
from gellib.report.summary.listed_runs_table import listed_runs_table
from gellib.report.summary.models_table import style_table
from gellib.report.summary.overview import absent_runs, as_markdown, warning_box, what_was_run
from gellib.report.summary.summary import Summary
from gellib.report.summary.tables import (
    effects_table,
    tied_models_table,
)

__all__ = [
    "Summary",
    "absent_runs",
    "as_markdown",
    "conclusions",
    "effects_table",
    "image_root",
    "tied_models_table",
    "style_table",
    "listed_runs_table",
    "warning_box",
    "what_was_run",
]
