"""The tables behind the conclusions of a summary: tied models, verdicts, effects of factors."""

from __future__ import annotations

import pandas as pd
from pandas.io.formats.style import Styler

from gellib.plots.base import percent
from gellib.report.comparison import Comparison, parameter_label
from gellib.report.comparison.cross_validated import VERDICT_WORDS
from gellib.report.conclusions.cross_validated import deciding
from gellib.report.summary.cells import (
    COMPACT,
    MOST_ROWS,
    SHADED,
    interval_cell,
    p_cell,
    signed_cell,
    styled,
)


def tied_models_table(comparison: Comparison) -> Styler | None:
    """Show the models by test score, with the ties; None where there is no ties."""
    ties = comparison.indistinguishable
    if ties is None or comparison.cross_validated is not None:
        return None
    models = comparison.models.set_index("model_id")
    ids = [int(name) for name in ties.names]
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
            "p": [p_cell(p) for p in ties.p],
            "p, adjusted for all pairs": [p_cell(p) for p in ties.p_adjusted],
            "against the highest": [
                "the highest" if i == 0 else "no evidence of a difference" if tied else "worse"
                for i, tied in enumerate(ties.tied)
            ],
        }
    )  # fmt: skip
    style = styled(shown.head(MOST_ROWS), "tied_models")
    style = style.set_table_styles(COMPACT)
    tied = shown.index[ties.tied][:MOST_ROWS]
    style = style.set_properties(subset=pd.IndexSlice[tied, :], **SHADED)
    unit = "test images" if ties.groups == ties.images else "groups of test images"
    return style.set_caption(
        "Shaded: the highest, and models without evidence of a difference from it, over "
        f"{ties.groups} {unit}."
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
    shown = pd.DataFrame(rows)
    shown = shown.drop(columns=_nothing_in(shown, ("images that would decide",)))
    style = styled(shown.head(MOST_ROWS), "verdicts")
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
            "factor": [parameter_label(e.factor) for e in effects],
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
    if (shown["pairs"] == 1).all():  # then the interval says it all
        shown = shown.drop(columns=["pairs", "higher / equal / lower"])
    shown = shown.drop(columns=_nothing_in(shown, (needed, "seeds")))
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


def _nothing_in(shown: pd.DataFrame, names: tuple[str, ...]) -> list[str]:
    """Name those of some columns in which every cell is a dash."""
    return [name for name in names if name in shown and (shown[name] == "–").all()]
