"""The conclusions of a sweep, in order: `conclusions`."""

from __future__ import annotations

import pandas as pd

from gellib.base.markup import in_markdown
from gellib.base.text import join_and
from gellib.plots.base import three_digits
from gellib.report.comparison import Comparison
from gellib.report.comparison.network_weights import weights_sentence
from gellib.report.conclusions.choice import (
    baseline_sentence,
    chosen_sentence,
    reliability_sentence,
    tied_sentences,
)
from gellib.report.conclusions.cross_validated import chosen_out_of_fold, verdict_sentences
from gellib.report.conclusions.factors import factor_sentences
from gellib.report.conclusions.wording import count, models


def conclusions(comparison: Comparison) -> list[str]:
    """Write the conclusions of a sweep: which model was chosen, and which differences are real.

    Every sentence follows from the records. A difference is either there, or there is no evidence
    of it; no sentence claims that there is none.
    """
    done = comparison.done
    sentences = [_tally(comparison)]
    if done.empty:
        return [*sentences, "No run has finished, so there is no result to report."]
    warned = done[done["weights_warning"].fillna("") != ""]
    if len(warned):
        sentences.append(
            f"**The weights of {models(warned['model_id'])} carry a warning: read it (above) "
            "before everything that follows.**"
        )
    found = comparison.cross_validated
    sentences += [chosen_model_sentence(comparison), reliability_sentence(comparison)]
    if len(done) == 1:
        alone = "Only one model has finished, so there is nothing to compare it with."
        return [text for text in (*sentences, baseline_sentence(comparison), alone) if text]
    if found is not None:
        sentences += verdict_sentences(comparison, found)
    elif not comparison.comparable:
        sentences.append(
            "Some models were cross-validated and others tested on held-out images, so they are "
            "not compared. `evaluation: holdout` in the sweep's `params` evaluates all alike."
        )
    elif comparison.same_images:
        sentences += tied_sentences(comparison)
    else:
        sentences.append(
            "The finished models were not all tested on the same images, so they are not ranked by "
            "their test scores."
        )
    sentences.append(baseline_sentence(comparison))
    if found is None:
        sentences.append(_repeats(comparison))
    sentences.append(weights_sentence(comparison.records))
    sentences += [*factor_sentences(comparison), *_never_named(comparison)]
    return [text for text in sentences if text] + _times(comparison)


def chosen_model_sentence(comparison: Comparison) -> str:
    """Name the chosen configuration and what it is worth, by the images that say so."""
    found = comparison.cross_validated
    if found is not None:
        return chosen_out_of_fold(comparison, found)
    return chosen_sentence(comparison)


def _tally(comparison: Comparison) -> str:
    table = comparison.table
    states = table["status"].tolist()
    absent = [text for status in ("skipped", "failed") for text in _absent(table, status)]
    tally = f"{states.count('done')} of {count(len(table), 'run')} finished"
    repeats = ""
    if len(comparison.models) < len(table):
        sizes = [count(len(comparison.models), "configuration")]
        if comparison.seeds > 1:
            sizes.append(count(comparison.seeds, "seed"))
        if (comparison.repeats["folds_done"] > 1).any():
            sizes.append(f"{int(comparison.repeats['folds_done'].max())} folds, pooled")
        repeats = f" ({join_and(sizes)})"
    return f"{'; '.join([tally + repeats, *absent])}."


def _absent(table: pd.DataFrame, status: str) -> list[str]:
    """Name the models of which every run has this status, then those of which some have."""
    own: dict[int, list[bool]] = {}
    for model, state in zip(table["model_id"], table["status"], strict=True):
        own.setdefault(int(model), []).append(state == status)
    whole = [model for model, states in own.items() if all(states)]
    return [
        *([f"{models(whole)} {status}"] if whole else []),
        *(
            f"{sum(states)} of the {len(states)} runs of {models([model])} {status}"
            for model, states in own.items()
            if any(states) and not all(states)
        ),
    ]


def _repeats(comparison: Comparison) -> str:
    if comparison.seeds == 1:
        return (
            "Every model was trained once, with one random seed. The tests below are over the test "
            "images, so they are about these trained models: **another split or initialisation can "
            "change the order of close ones**. Intervals are 95 % intervals."
        )
    return (
        f"Every model was trained with up to {comparison.seeds} seeds; a difference counts when it "
        "holds for other test images and for other seeds. Intervals are 95 % intervals."
    )


def _never_named(comparison: Comparison) -> list[str]:
    """Name the classes that a model never predicts correctly, which accuracy alone would hide."""
    classes = next((r.data.classes for r in comparison.records if r.done), [])
    missed: dict[str, list[int]] = {}
    image = "image" if comparison.out_of_fold else "test image"
    done = comparison.done
    for model_id, matrix in zip(done["model_id"], done["conf_mat"], strict=True):
        if not isinstance(matrix, list):
            continue
        for number, name in enumerate(classes[: len(matrix)]):
            if sum(matrix[number]) and not matrix[number][number]:
                missed.setdefault(name, []).append(model_id)
    return [
        f"**No {image} of class “{in_markdown(name)}” is found** by {models(sorted(ids))}: "
        "accuracy hides it, recall by class does not."
        for name, ids in missed.items()
    ]


def _times(comparison: Comparison) -> list[str]:
    sentences, done = [], comparison.done
    images = "images" if comparison.out_of_fold else "test images"
    for device, rows in done.groupby("hardware_type", sort=False):
        by_network = rows.groupby("pretrained_model")[["training_time_mins", "inference_time_secs"]]
        means = by_network.mean().sort_values("training_time_mins")
        named = [(in_markdown(network), times) for network, times in means.iterrows()]
        train = ", ".join(f"{name} {three_digits(60 * t.iloc[0])} s" for name, t in named)
        infer = ", ".join(f"{name} {three_digits(t.iloc[1])} s" for name, t in named)
        computed = ", features included," if (rows["features_s"] > 0).any() else ""
        sentences.append(
            f"Mean times on the {in_markdown(device)}: to train{computed} {train}; to predict all "
            f"{images} {infer}."
        )
    return sentences
