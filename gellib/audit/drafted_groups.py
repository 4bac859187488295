"""A table of the images in which near-duplicate clusters and duplicates are groups."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from gellib.audit.report import CheckReport
from gellib.base.files import write_csv
from gellib.data.duplicates import group_images


def write_groups(report: CheckReport, path: str | Path) -> Path:
    """Write a table `file,label,split,group` in which each cluster and its duplicates are a group.

    Saved as `labels.csv` in the folder of the images, it defines the data set.
    """
    table = group_images(report.images, report.duplicates).table
    groups = dict(zip(table["file"], table["group"], strict=True))
    for number, files in enumerate(report.clusters, 1):
        names = {groups[file] for file in files} - {""}
        own = {file for file, group in groups.items() if group in names} | set(files)
        groups.update(dict.fromkeys(own, f"cluster {number}"))
    columns = {"file": table["file"], "label": report.images.label_texts(), "split": table["split"]}
    columns["group"] = [groups[file] for file in table["file"]]
    write_csv(Path(path), pd.DataFrame(columns))
    return Path(path)
