"""Find out what is wrong with a data set before training on it: `gellib check`."""

from gellib.audit.check import check_dataset
from gellib.audit.drafted_groups import write_groups
from gellib.audit.label_check import doubtful_labels
from gellib.audit.outliers import Outlier
from gellib.audit.page import (
    clusters_figure,
    duplicates_figure,
    outliers_figure,
    render_page,
    write_page,
)
from gellib.audit.report import CheckReport
from gellib.audit.sentences import report_text, verdict_table
from gellib.audit.short_check import short_check

__all__ = [
    "CheckReport",
    "Outlier",
    "check_dataset",
    "doubtful_labels",
    "duplicates_figure",
    "clusters_figure",
    "outliers_figure",
    "render_page",
    "report_text",
    "short_check",
    "verdict_table",
    "write_groups",
    "write_page",
]
