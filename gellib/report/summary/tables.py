"""The tables of a summary: models, ranking, effects of factors, experiments, what is absent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from gellib.base.text import shorten
from gellib.config import NAMED
from gellib.evaluation.registry import Metric
from gellib.plots.base import percent, three_digits
from gellib.plots.sweep import metrics_of
from gellib.report.comparison import Comparison, words

# Thirteen columns are to fit on a page.
_COMPACT = [
    {"selector": "td", "props": "white-space: nowrap; font-size: 90%; padding: 3px 6px"},
    {"selector": "th", "props": "font-size: 90%; padding: 3px 6px"},
]
# Longer tables are for `results.csv`, which has every run.
MOST_ROWS = 100
_MOST_SETTINGS = 6


def style_table(comparison: Comparison) -> Styler:
    """Finished models: settings, times, metrics; the best of a column bold, the chosen shaded."""
    order = comparison.done
    done = comparison.models.loc[sorted(order.index[:MOST_ROWS])]
    score = comparison.score
    metrics = list(metrics_of(comparison.table).values())
    heading_of_score = comparison.task.headline_words
    shares = {f"valid. {heading_of_score}": done[f"val_{score}"]}
    shares |= {metric.heading: done[metric.name].astype(float) for metric in metrics}
    parts = {**_settings(comparison, done)}
    if comparison.seeds > 1:
        parts["seeds"] = done["seeds"]
    parts |= {
        "training, s": done["training_time_mins"] * 60,
        "inference, s": done["inference_time_secs"],
    }
    for heading, values in shares.items():
        parts[heading] = values
        if heading == heading_of_score and f"{score}_low" in done:
            bounds = zip(done[f"{score}_low"], done[f"{score}_high"], strict=True)
            parts["95 % interval"] = [_interval(low, high) for low, high in bounds]
    if comparison.task.exclusive:
        parts["confusion matrix"] = [_short_matrix(matrix) for matrix in done["conf_mat"]]
    style = pd.DataFrame(parts).style.hide(axis="index").set_uuid("models")
    times = ["training, s", "inference, s"]
    style = style.set_table_styles(_COMPACT)
    numbers = {metric.heading: metric.text for metric in metrics if not metric.share}
    style = style.format(percent, subset=[h for h in shares if h not in numbers], na_rep="–")
    for heading, text in numbers.items():
        style = style.format(text, subset=[heading], na_rep="–")
    style = style.format(three_digits, subset=times, na_rep="–")
    if done.empty:
        return style.set_caption("No run has finished.")
    lower = [metric.heading for metric in metrics if not metric.higher_is_better]
    higher = [name for name in shares if name not in lower]
    style = style.highlight_max(subset=higher, props="font-weight:bold")
    style = style.highlight_min(subset=times + lower, props="font-weight:bold")
    chosen = pd.IndexSlice[order.index[0], :]
    style = style.set_properties(subset=chosen, **{"background-color": "#FCE9C0", "color": "#222"})
    left = len(order) - len(done)
    more = f" {left} more are in results.csv." if left else ""
    word = comparison.task.headline_words
    return style.set_caption(
        f"Bold: the best of its column. Shaded: the model chosen by its validation {word}. "
        f"Metrics are on the test images.{more}"
    )


def _interval(low: float, high: float) -> str:
    return f"{100 * low:.0f}–{100 * high:.0f} %" if low == low else "–"


def _short_matrix(matrix: Any) -> str:
    # Of many classes it would be wider than the page; the figure of the best model shows one.
    if not isinstance(matrix, list):
        return "–"
    return str(matrix) if len(matrix) <= 4 else f"{len(matrix)} × {len(matrix)}"


def _settings(comparison: Comparison, rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Columns that say which model a row is: its number and what varies."""
    factors = comparison.factors
    found = {"model": rows["model_id"]}
    if comparison.experiments:
        mixed = comparison.in_grid.any()
        return {**found, "what varies" if mixed else "experiment": rows["label"]}
    if set(factors) <= set(NAMED):
        return found | {words(name).split()[-1]: rows[name] for name in NAMED}
    if len(factors) > _MOST_SETTINGS:
        return {**found, "what varies": rows["label"]}
    return found | {words(name): rows[name] for name in factors}


def skipped_failed(comparison: Comparison) -> Styler:
    """Runs without a result, each with its reason."""
    table = comparison.table
    rest = table[table["status"] != "done"]
    left = len(rest) - MOST_ROWS
    rest = rest.head(MOST_ROWS)
    labels = comparison.models.set_index("model_id")["label"]
    named = rest.assign(label=rest["model_id"].map(labels))
    shown = pd.DataFrame(
        {**_settings(comparison, named), "status": rest["status"], "reason": rest["reason"]}
    )
    style = shown.style.hide(axis="index").set_uuid("absent")
    style = style.set_properties(
        subset=["reason"], **{"text-align": "left", "white-space": "pre-wrap"}
    )
    if rest.empty:
        style = style.set_table_styles([{"selector": "caption", "props": "white-space: nowrap"}])
        return style.hide(axis="columns").set_caption("Every run has finished.")
    more = f"; {left} more are in results.csv" if left > 0 else ""
    return style.set_caption(f"Skipped and failed runs{more}")


def ranking_table(comparison: Comparison) -> Styler | None:
    """Models by test score: which cannot be told from the highest; None where none can be made."""
    ranking = comparison.ranking
    if ranking is None:
        return None
    models = comparison.models.set_index("model_id")
    ids = [int(name) for name in ranking.names]
    rows = models.loc[ids]
    score = comparison.score
    shown = pd.DataFrame(
        {
            "model": ids,
            "": rows["label"].to_numpy(),
            comparison.task.headline_words: [percent(value) for value in rows[score]],
            "95 % interval": [
                _interval(low, high)
                for low, high in zip(rows[f"{score}_low"], rows[f"{score}_high"], strict=True)
            ] if f"{score}_low" in rows else "–",
            "p of the pair": [_p(p) for p in ranking.p],
            "p, all pairs allowed for": [_p(p) for p in ranking.p_adjusted],
            "against the highest": [
                "the highest" if i == 0 else "cannot be told" if tied else "worse"
                for i, tied in enumerate(ranking.tied)
            ],
        }
    )  # fmt: skip
    style = shown.head(MOST_ROWS).style.hide(axis="index").set_uuid("ranking")
    style = style.set_table_styles(_COMPACT)
    tied = shown.index[ranking.tied][:MOST_ROWS]
    style = style.set_properties(
        subset=pd.IndexSlice[tied, :], **{"background-color": "#FCE9C0", "color": "#222"}
    )
    unit = "test images" if ranking.groups == ranking.images else "groups of test images"
    return style.set_caption(
        f"Shaded: models that cannot be told from the highest, over {ranking.groups} {unit}."
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.995 else "1"


def effects_table(comparison: Comparison) -> Styler | None:
    """Differences between the levels of each factor, all else equal; None without any."""
    effects = comparison.effects
    if not effects:
        return None
    shown = pd.DataFrame(
        {
            "factor": [words(e.factor) for e in effects],
            "first": [str(e.a) for e in effects],
            "second": [str(e.b) for e in effects],
            "first − second, points": [_signed(e.difference) for e in effects],
            "95 % interval": [
                f"{_signed(e.low)} to {_signed(e.high)}" if e.low == e.low else "–" for e in effects
            ],
            "pairs": [e.pairs for e in effects],
            "higher / equal / lower": [f"{e.higher} / {e.equal} / {e.lower}" for e in effects],
            "p": [_p(e.p) for e in effects],
            "p, Holm": [_p(e.p_holm) for e in effects],
            "the first is": [e.verdict for e in effects],
            "for 5 points: images": [str(e.images_needed or "–") for e in effects],
            "seeds": [str(e.seeds_needed or "–") for e in effects],
        }
    )
    style = shown.head(MOST_ROWS).style.hide(axis="index").set_uuid("effects")
    units = ", ".join(dict.fromkeys(e.unit for e in effects))
    return style.set_table_styles(_COMPACT).set_caption(
        f"Pairs of runs that differ in one setting alone, tested over {units}. The last columns: "
        "how many test images, or seeds, a difference of 5 points would need to be seen."
    )


def _signed(value: float) -> str:
    # Rounded first: no minus before a zero.
    return f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "−") if np.isfinite(value) else "–"


def experiments_table(comparison: Comparison, losses: pd.DataFrame) -> Styler | None:
    """Show what each listed experiment changed, and what that did to each metric.

    `losses` has `test_loss` by `model_id`. None for a sweep that lists no experiments.
    """
    entries = comparison.experiments
    models = comparison.models.set_index("model_id")
    entries = [entry for entry in entries if entry["model_id"] in models.index]
    if not entries:
        return None
    by_name = {entry["name"]: entry["model_id"] for entry in entries}
    built = [effect for effect in comparison.effects if effect.factor == "experiment"]
    verdicts = {effect.a: effect.verdict for effect in built}
    metrics = [metric for metric in comparison.task.metrics() if _known(models, metric.name)]
    rows = []
    for entry in entries:
        parent = by_name.get(entry["like"])
        row = {
            "model": entry["model_id"],
            "experiment": entry["name"],
            "like": entry["like"] or "–",
            "what changed": _changes(entry),
        }
        for metric in metrics:
            value = models.at[entry["model_id"], metric.name]
            before = models.at[parent, metric.name] if parent is not None else np.nan
            row[metric.heading] = _step(value, before, metric)
        loss = losses["test_loss"]
        now, before = loss.get(entry["model_id"], np.nan), loss.get(parent, np.nan)
        row["loss"] = "–" if np.isnan(now) else f"{now:.2f}{_bracket(now - before, 1, 2)}"
        verdict = verdicts.get(entry["name"])
        row["verdict"] = verdict or ("–" if entry["like"] is None else "not compared")
        rows.append(row)
    style = pd.DataFrame(rows).style.hide(axis="index").set_uuid("experiments")
    style = style.set_table_styles(_COMPACT)
    # Properties of cells would be weaker than what `_COMPACT` says of all.
    wraps = {name: [{"selector": "td", "props": "white-space: pre-line"}] for name in style.columns}
    wraps["what changed"][0]["props"] += "; text-align: left; min-width: 16em"
    wraps["verdict"][0]["props"] += "; min-width: 8em"
    style = style.set_table_styles(wraps, overwrite=False)
    return style.set_caption(
        "Metrics on the test images; in brackets the change against the experiment that it is "
        "like, in points."
    )


def _changes(entry: dict[str, Any]) -> str:
    lines = [f"{name}: {_short(a)} → {_short(b)}" for name, (a, b) in entry["changed"].items()]
    return "\n".join(lines) or "–"


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return shorten(text, 40) or "empty"


def _known(table: pd.DataFrame, name: str) -> bool:
    return name in table and bool(table[name].notna().any())


def _step(value: float, before: float, metric: Metric) -> str:
    if pd.isna(value):
        return "–"
    factor, digits = (100, 1) if metric.share else (1, 2)
    return f"{metric.text(value)}{_bracket(value - before, factor, digits)}"


def _bracket(change: float, factor: float, digits: int) -> str:
    if pd.isna(change):
        return ""
    return f"\n({factor * change:+.{digits}f})".replace("-", "−")
