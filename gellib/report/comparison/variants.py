"""The listed runs of a sweep file (its variants): what each changes, and what that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from gellib.evaluation import Effect, ImageScores, compare_pairs


@dataclass(frozen=True)
class Variant:
    """One of the listed runs of a sweep file.

    Attributes
    ----------
    model_id
        Its number in the sweep.
    name
        Its name in the sweep file.
    like
        Name of the variant that it builds on; None where it builds on none.
    changed
        By parameter, the value in the variant that it builds on, and its own.
    """

    model_id: int
    name: str
    like: str | None = None
    changed: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def read_variants(info: Mapping[str, Any]) -> list[Variant]:
    """Return the variants that `sweep.json` lists, where they are called `experiments`."""
    return [
        Variant(entry["model_id"], entry["name"], entry.get("like"), entry.get("changed", {}))
        for entry in info.get("experiments", [])
    ]


def variant_effects(
    variants: Sequence[Variant], done: pd.DataFrame, *, score: str, scores: ImageScores | None
) -> list[Effect]:
    """Compare each variant with the one that it builds on, seed by seed.

    Parameters
    ----------
    variants
        The listed runs.
    done
        Finished runs, one row per configuration and seed.
    score
        Column of the score, 0..1.
    scores
        Scores of the runs on single test images; None where they are not known.

    Returns
    -------
    list
        Effects whose `factor` is `experiment`; their p-values are not adjusted yet.
    """
    ids = {variant.name: variant.model_id for variant in variants}
    found = []
    for variant in variants:
        if variant.like is None:
            continue
        one, two = (
            done[done["model_id"] == ids[name]].set_index("seed", drop=False)
            for name in (variant.name, variant.like)
        )
        both = one.index.intersection(two.index, sort=False)
        if len(both) and one.index.is_unique and two.index.is_unique:
            one, two = (rows.loc[both].reset_index(drop=True) for rows in (one, two))
            found.append(
                compare_pairs(
                    "experiment", variant.name, variant.like, one, two, value=score, scores=scores
                )
            )
    return found
