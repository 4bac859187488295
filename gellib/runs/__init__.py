"""The folders that runs and sweeps write, and their one table.

Every file is written to a temporary name and renamed, so a reader never sees half of one; a run's
record is written last, and a run is done when its record says so.
"""

from gellib.base.files import atomic_path, write_csv, write_json, write_text
from gellib.runs.folders import JOIN, SCHEMA, RunFolder, SweepFolder
from gellib.runs.predictions import Answers, read_answers, score_answer
from gellib.runs.ranking import best_run, in_order, rank_runs
from gellib.runs.table import (
    REFERENCE_COLUMNS,
    append_result,
    format_results,
    record_row,
    tabulate,
    varied,
)

__all__ = [
    "JOIN",
    "REFERENCE_COLUMNS",
    "SCHEMA",
    "Answers",
    "RunFolder",
    "SweepFolder",
    "append_result",
    "atomic_path",
    "format_results",
    "best_run",
    "in_order",
    "rank_runs",
    "read_answers",
    "record_row",
    "score_answer",
    "tabulate",
    "varied",
    "write_csv",
    "write_json",
    "write_text",
]
