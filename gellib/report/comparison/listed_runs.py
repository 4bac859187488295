"""The listed runs of a sweep file: what each changes, and what that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from gellib.evaluation import Effect, ImageScores, compare_pairs

# The factor of effects between listed runs; no parameter has this name.
LISTED = "listed run"


@dataclass(frozen=True)
class ListedRun:
    """One of the listed runs of a sweep file.

    Attributes
    ----------
    model_id
        Its number in the sweep.
    name
        Its name in the sweep file.
    like
        Name of the listed run that it builds on; None where it builds on none.
    changed
        By parameter, the value in the listed run that it builds on, and its own.
    """

    model_id: int
    name: str
    like: str | None = None
    changed: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def read_listed_runs(info: Mapping[str, Any]) -> list[ListedRun]:
    """Return the listed runs that `sweep.json` keeps, of older sweeps as `experiments`."""
    return [
        ListedRun(entry["model_id"], entry["name"], entry.get("like"), entry.get("changed", {}))
        for entry in info.get("listed_runs", info.get("experiments", []))
    ]


def listed_effects(
    listed: Sequence[ListedRun],
    done: pd.DataFrame,
    *,
    score: str,
    scores: ImageScores | None,
    ratio: float = 0.0,
) -> list[Effect]:
    """Compare each listed run with the one that it builds on, seed by seed.

    Parameters
    ----------
    listed
        The listed runs.
    done
        Finished runs, one row per configuration and seed.
    score
        Column of the score, 0..1.
    scores
        Scores of the runs on single test images; None where they are not known.
    ratio
        As for `compare_pairs`.

    Returns
    -------
    list
        Effects whose `factor` is `LISTED`; their p-values are not adjusted yet.
    """
    ids = {run.name: run.model_id for run in listed}
    found = []
    for run in listed:
        if run.like is None:
            continue
        one, two = (
            done[done["model_id"] == ids[name]].set_index("seed", drop=False)
            for name in (run.name, run.like)
        )
        both = one.index.intersection(two.index, sort=False)
        if len(both) and one.index.is_unique and two.index.is_unique:
            one, two = (rows.loc[both].reset_index(drop=True) for rows in (one, two))
            found.append(
                compare_pairs(
                    LISTED, run.name, run.like, one, two, value=score, scores=scores, ratio=ratio
                )
            )
    return found
