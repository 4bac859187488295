"""The metrics of a run as a table to be read."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gellib.evaluation import Task


def metrics_table(
    metrics: dict[str, dict[str, Any]], task: Task, *, val_name: str = "val"
) -> pd.DataFrame:
    """Show the metrics of each split with the number of images, and 95 % intervals in brackets.

    Shares are in percent. In a multi-label task, the last row is what a threshold of 0.5
    gives for the split before it. `val_name` says what the split `val` is called.
    """
    names = {"val": val_name}
    rows = {names.get(split, split): _shown(own, task) for split, own in metrics.items()}
    last, values = list(rows)[-1], list(metrics.values())[-1]
    if baseline := values.get("baseline"):
        # What does not depend on a threshold is the same.
        known = {name: text for name, text in _shown(baseline, task).items() if text != "-"}
        rows[f"{last}, thresholds 0.5"] = rows[last] | known
    return pd.DataFrame(rows).T


def _shown(values: dict[str, Any], task: Task) -> dict[str, str]:
    columns = {metric.name: (metric.heading, metric.share) for metric in task.metrics()}
    if values.get("positive"):
        for name in ("sensitivity", "specificity"):
            columns[name] = f"{name} ({values['positive']})", True
    result = {"images": str(values["n"])} if "n" in values else {}
    for name, (heading, share) in columns.items():
        value, interval = values.get(name), values.get("intervals", {}).get(name)
        result[heading] = "-" if value is None else f"{value:.1%}" if share else f"{value:.3f}"
        if value is not None and interval:
            low, high = (f"{100 * x:.0f}" if share else f"{x:.2f}" for x in interval)
            result[heading] += f" [{low}, {high}]"
    return result
