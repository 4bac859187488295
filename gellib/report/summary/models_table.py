"""The table of a summary's models: settings, metrics, times and sizes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import pandas as pd
from pandas.io.formats.style import Styler

from gellib.base.markup import in_html
from gellib.config import NAMED
from gellib.plots.base import percent, three_digits
from gellib.plots.sweep import metrics_of
from gellib.report.comparison import Comparison, parameter_label
from gellib.report.summary.cells import (
    COMPACT,
    MOST_ROWS,
    SHADED,
    bold_if_alone,
    by_class_cell,
    formatter,
    interval_cell,
    styled,
)

if TYPE_CHECKING:
    from pandas.io.formats.style_render import CSSDict

_MOST_SETTINGS = 6


def style_table(comparison: Comparison) -> Styler:
    """Show the finished models: settings, times, metrics; best of a column bold, chosen shaded."""
    order = comparison.done
    done = comparison.models.loc[sorted(order.index[:MOST_ROWS])]
    score = comparison.score
    metrics = list(metrics_of(comparison.table).values())
    heading_of_score = comparison.task.headline_words
    shares = {}
    if not comparison.out_of_fold:
        chosen_by = "valid." if comparison.choice == "validation" else comparison.choice
        shares = {f"{chosen_by} {heading_of_score}": done[f"val_{score}"]}
    shares |= {metric.heading: done[metric.name].astype(float) for metric in metrics}
    settings, same = _settings(comparison, done)
    columns: dict[str, pd.Series | list[str]] = {**settings}
    if comparison.seeds > 1:
        columns["seeds"] = done["seeds"]
    for heading, values in shares.items():
        columns[heading] = values
        if heading == heading_of_score and f"{score}_low" in done:
            bounds = zip(done[f"{score}_low"], done[f"{score}_high"], strict=True)
            columns["95 % interval"] = [interval_cell(low, high) for low, high in bounds]
    if comparison.task.exclusive:
        classes = next((r.data.classes for r in comparison.records if r.done), [])
        cells = [by_class_cell(matrix, classes) for matrix in done["conf_mat"]]
        columns |= {"right, by class": cells} if set(cells) != {"–"} else {}
    times: list[Hashable] = ["training, s", "inference, s"]
    columns |= {
        "training, s": done["training_time_mins"] * 60,
        "inference, s": done["inference_time_secs"],
    }
    costs: list[Hashable] = []
    if "pretrained_model" in comparison.factors:
        # What a network costs: of those with equal scores, the cheapest is the one to take.
        columns |= {
            "images per s": done["images_per_s"].astype(float),
            "parameters, millions": done["parameters"].astype(float) / 1e6,
        }
        costs += ["images per s", "parameters, millions"]
    shown = pd.DataFrame(columns)
    style = styled(shown, "models")
    style = style.set_table_styles(COMPACT)
    if "right, by class" in shown:
        lines: list[CSSDict] = [{"selector": "td", "props": "white-space: pre"}]
        style = style.set_table_styles({"right, by class": lines}, overwrite=False)
    numbers = {metric.heading: metric.text for metric in metrics if not metric.share}
    in_percent: list[Hashable] = [heading for heading in shares if heading not in numbers]
    style = style.format(formatter(percent), subset=in_percent, na_rep="–")
    for heading, text in numbers.items():
        style = style.format(formatter(text), subset=[heading], na_rep="–")
    style = style.format(formatter(three_digits), subset=times + costs, na_rep="–")
    if done.empty:
        return style.set_caption("No run has finished.")
    lower: list[Hashable] = [metric.heading for metric in metrics if not metric.higher_is_better]
    higher: list[Hashable] = [name for name in shares if name not in lower]
    style = style.apply(bold_if_alone, subset=higher, highest=True)
    style = style.apply(bold_if_alone, subset=times + lower, highest=False)
    chosen = pd.IndexSlice[order.index[0], :]
    style = style.set_properties(subset=chosen, **SHADED)
    word = comparison.task.headline_words
    left = len(order) - len(done)
    parts = [
        f"Shaded: the model chosen by its {comparison.choice} {word}. Metrics are on the "
        f"{comparison.images_scored}.",
        repeats_note(comparison),
        "Bold: the best of its column, if it is alone." if len(done) > 1 else "",
        f"All: {same}." if same else "",
        _time_note(done),
        f"{left} more are in results.csv." if left else "",
    ]
    return style.set_caption(" ".join(filter(None, parts)))


def repeats_note(comparison: Comparison) -> str:
    """Say which out-of-fold metrics are means over repeats, and which of mean probabilities."""
    found, word = comparison.cross_validated, comparison.task.headline_words
    if found is None or found.repeats < 2:
        return ""
    text = f"The out-of-fold {word} is the mean over {found.repeats} repeats"
    if not comparison.out_of_fold:
        return f"{text}."
    return f"{text}; the other metrics are of each image's mean probability over them."


def _time_note(done: pd.DataFrame) -> str:
    """Explain training times that hold the features which models of one network share."""
    if not (done.get("features_s", pd.Series(dtype=float)) > 0).any():
        return ""
    return (
        "A training time includes the features of the images as if the model had computed them "
        "itself: models with the same network share them."
    )


def _settings(comparison: Comparison, rows: pd.DataFrame) -> tuple[dict[str, pd.Series], str]:
    """Return the columns that identify the model of a row: its number and what varies.

    And, in words, the settings that all rows share and would otherwise have a column.
    """
    factors = comparison.factors
    found = {"model": rows["model_id"]}
    if comparison.listed:
        mixed = comparison.in_grid.any()
        return {**found, "what varies" if mixed else "listed run": rows["label"]}, ""
    if set(factors) <= set(NAMED):
        columns = {parameter_label(name).split()[-1]: rows[name] for name in NAMED}
    elif len(factors) > _MOST_SETTINGS:
        return {**found, "what varies": rows["label"]}, ""
    else:
        columns = {parameter_label(name): rows[name] for name in factors}
    if len(rows) < 2:
        return found | columns, ""
    same = [name for name, values in columns.items() if values.nunique(dropna=False) == 1]
    shared = ", ".join(f"{name} {in_html(columns[name].iloc[0])}" for name in same)
    return found | {name: v for name, v in columns.items() if name not in same}, shared
