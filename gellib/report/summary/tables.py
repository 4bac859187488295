"""The tables of a summary: models, ranking, effects of factors, absent runs."""

from __future__ import annotations

from collections.abc import Hashable

import pandas as pd
from pandas.io.formats.style import Styler

from gellib.config import NAMED
from gellib.plots.base import percent, three_digits
from gellib.plots.sweep import metrics_of
from gellib.report.comparison import Comparison, words
from gellib.report.comparison.cross_validated import VERDICT_WORDS
from gellib.report.conclusions.cross_validated import deciding
from gellib.report.summary.cells import (
    COMPACT,
    SHADED,
    formatter,
    interval_cell,
    matrix_cell,
    p_cell,
    signed_cell,
    styled,
)

# Longer tables are for `results.csv`, which has every run.
MOST_ROWS = 100
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
    columns: dict[str, pd.Series | list[str]] = {**_settings(comparison, done)}
    if comparison.seeds > 1:
        columns["seeds"] = done["seeds"]
    columns |= {
        "training, s": done["training_time_mins"] * 60,
        "inference, s": done["inference_time_secs"],
    }
    for heading, values in shares.items():
        columns[heading] = values
        if heading == heading_of_score and f"{score}_low" in done:
            bounds = zip(done[f"{score}_low"], done[f"{score}_high"], strict=True)
            columns["95 % interval"] = [interval_cell(low, high) for low, high in bounds]
    if comparison.task.exclusive:
        columns["confusion matrix"] = [matrix_cell(matrix) for matrix in done["conf_mat"]]
    costs: list[Hashable] = []
    if "pretrained_model" in comparison.factors:
        # What a network costs: of those with equal scores, the cheapest is the one to take.
        columns |= {
            "images per s": done["images_per_s"].astype(float),
            "parameters, millions": done["parameters"].astype(float) / 1e6,
        }
        costs += ["images per s", "parameters, millions"]
    style = styled(pd.DataFrame(columns), "models")
    times: list[Hashable] = ["training, s", "inference, s"]
    style = style.set_table_styles(COMPACT)
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
    style = style.highlight_max(subset=higher, props="font-weight:bold")
    style = style.highlight_min(subset=times + lower, props="font-weight:bold")
    chosen = pd.IndexSlice[order.index[0], :]
    style = style.set_properties(subset=chosen, **SHADED)
    left = len(order) - len(done)
    more = f" {left} more are in results.csv." if left else ""
    word = comparison.task.headline_words
    return style.set_caption(
        f"Bold: the best of its column. Shaded: the model chosen by its {comparison.choice} "
        f"{word}. Metrics are on the {comparison.images_scored}.{more}"
    )


def _settings(comparison: Comparison, rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the columns that identify the model of a row: its number and what varies."""
    factors = comparison.factors
    found = {"model": rows["model_id"]}
    if comparison.listed:
        mixed = comparison.in_grid.any()
        return {**found, "what varies" if mixed else "listed run": rows["label"]}
    if set(factors) <= set(NAMED):
        return found | {words(name).split()[-1]: rows[name] for name in NAMED}
    if len(factors) > _MOST_SETTINGS:
        return {**found, "what varies": rows["label"]}
    return found | {words(name): rows[name] for name in factors}


def skipped_failed(comparison: Comparison) -> Styler:
    """Show the runs without a result, each with its reason."""
    table = comparison.table
    rest = table[table["status"] != "done"]
    left = len(rest) - MOST_ROWS
    rest = rest.head(MOST_ROWS)
    labels = comparison.models.set_index("model_id")["label"]
    named = rest.assign(label=rest["model_id"].map(labels))
    shown = pd.DataFrame(
        {**_settings(comparison, named), "status": rest["status"], "reason": rest["reason"]}
    )
    style = styled(shown, "absent")
    style = style.set_properties(
        subset=["reason"], **{"text-align": "left", "white-space": "pre-wrap"}
    )
    if rest.empty:
        style = style.set_table_styles([{"selector": "caption", "props": "white-space: nowrap"}])
        return style.hide(axis="columns").set_caption("Every run has finished.")
    more = f"; {left} more are in results.csv" if left > 0 else ""
    return style.set_caption(f"Skipped and failed runs{more}")


def ranking_table(comparison: Comparison) -> Styler | None:
    """Show the models by test score, with the ties; None where there is no ranking."""
    ranking = comparison.indistinguishable
    if ranking is None or comparison.cross_validated is not None:
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
                interval_cell(low, high)
                for low, high in zip(rows[f"{score}_low"], rows[f"{score}_high"], strict=True)
            ] if f"{score}_low" in rows else "–",
            "p": [p_cell(p) for p in ranking.p],
            "p, adjusted for all pairs": [p_cell(p) for p in ranking.p_adjusted],
            "against the highest": [
                "the highest" if i == 0 else "no evidence of a difference" if tied else "worse"
                for i, tied in enumerate(ranking.tied)
            ],
        }
    )  # fmt: skip
    style = styled(shown.head(MOST_ROWS), "ranking")
    style = style.set_table_styles(COMPACT)
    tied = shown.index[ranking.tied][:MOST_ROWS]
    style = style.set_properties(subset=pd.IndexSlice[tied, :], **SHADED)
    unit = "test images" if ranking.groups == ranking.images else "groups of test images"
    return style.set_caption(
        "Shaded: the highest, and models without evidence of a difference from it, over "
        f"{ranking.groups} {unit}."
    )


def verdicts_table(comparison: Comparison) -> Styler | None:
    """Show every cross-validated model against the chosen one; None where there are none."""
    found = comparison.cross_validated
    if found is None or len(found.models) < 2:
        return None
    labels = comparison.models.set_index("model_id")["label"]
    rows = []
    for model in found.models:
        own, verdict = found.interval(model), found.against.get(model)
        row: dict[str, object] = {
            "model": model,
            "": labels[model],
            f"out-of-fold {comparison.task.headline_words}": percent(own.score),
            "95 % interval": interval_cell(own.low, own.high),
        }
        if verdict is None:
            row |= dict.fromkeys(("chosen − it, percentage points", "interval for all pairs"), "–")
            row |= {"p, adjusted for all pairs": "–", "the chosen is": "the chosen"}
            row["images that would decide"] = "–"
        else:
            row["chosen − it, percentage points"] = signed_cell(verdict.difference)
            low, high = signed_cell(verdict.low), signed_cell(verdict.high)
            row["interval for all pairs"] = f"{low} to {high}"
            row["p, adjusted for all pairs"] = p_cell(verdict.p_adjusted)
            row["the chosen is"] = VERDICT_WORDS[verdict.verdict]
            row["images that would decide"] = deciding(verdict, found.images)
        rows.append(row)
    style = styled(pd.DataFrame(rows).head(MOST_ROWS), "verdicts")
    style = style.set_table_styles(COMPACT)
    style = style.set_properties(subset=pd.IndexSlice[0, :], **SHADED)
    groups = "" if found.groups == found.images else f" in {found.groups} groups"
    return style.set_caption(
        f"Out-of-fold scores of {found.images} images{groups}: means over {found.repeats} repeats. "
        f"Practically the same: within {100 * found.margin:g} percentage points."
    )


def effects_table(comparison: Comparison) -> Styler | None:
    """Show the differences between the levels of each factor, all else equal; None without any."""
    effects = comparison.effects
    if not effects:
        return None
    out_of_fold = comparison.cross_validated is not None
    needed = "images that would decide" if out_of_fold else "for 5 percentage points: images"
    shown = pd.DataFrame(
        {
            "factor": [words(e.factor) for e in effects],
            "first": [str(e.a) for e in effects],
            "second": [str(e.b) for e in effects],
            "first − second, percentage points": [signed_cell(e.difference) for e in effects],
            "95 % interval": [
                f"{signed_cell(e.low)} to {signed_cell(e.high)}" if e.low == e.low else "–"
                for e in effects
            ],
            "pairs": [e.pairs for e in effects],
            "higher / equal / lower": [f"{e.higher} / {e.equal} / {e.lower}" for e in effects],
            "p": [p_cell(e.p) for e in effects],
            "p, adjusted": [p_cell(e.p_holm) for e in effects],
            "the first is": [e.verdict for e in effects],
            needed: [str(e.images_needed or "–") for e in effects],
            "seeds": [str(e.seeds_needed or "–") for e in effects],
        }
    )
    if out_of_fold:
        shown = shown.drop(columns="seeds")
    style = styled(shown.head(MOST_ROWS), "effects")
    units = ", ".join(dict.fromkeys(e.unit for e in effects))
    if out_of_fold:
        return style.set_table_styles(COMPACT).set_caption(
            f"Configurations that differ in one setting alone, tested over {units}; intervals and "
            "p are adjusted for all comparisons of the table."
        )
    return style.set_table_styles(COMPACT).set_caption(
        f"Pairs of runs that differ in one setting alone, tested over {units}. The last columns: "
        "how many test images, or seeds, are needed to detect a difference of 5 percentage points."
    )
