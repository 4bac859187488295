"""Differences between the levels of a sweep's factors, and between its listed runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from gellib.config import NAMED
from gellib.evaluation import Effect, ImageScores, adjust_for_multiplicity, factor_effects
from gellib.report.comparison.listed_runs import LISTED, ListedRun, listed_effects
from gellib.runs import Record, varied

# Comparing all pairs of more levels would be slow and tell little.
MOST_LEVELS = 8


@dataclass(frozen=True)
class Question:
    """Level `a` of a factor against level `b`: partners `one` and `two`, by `model_id`."""

    factor: str
    a: Any
    b: Any
    one: tuple[int, ...]
    two: tuple[int, ...]


def find_factors(
    table: pd.DataFrame, records: Sequence[Record], in_grid: pd.Series, has_listed: bool
) -> list[str]:
    """Name the parameters that a sweep varies; of a grid beside a list, those of the grid.

    Parameters
    ----------
    table
        One row per run.
    records
        Records of the runs, in the rows of `table`.
    in_grid
        Whether a row is of the grid.
    has_listed
        Whether the sweep lists runs.
    """
    if has_listed and in_grid.any():
        # Parameters that only the listed runs set are no factors of the grid.
        rows = zip(records, in_grid.to_numpy(), strict=True)
        return varied([record.config for record, own in rows if own])
    return list(table.attrs.get("factors", [n for n in NAMED if table[n].nunique() > 1]))


def compared_factors(grid: pd.DataFrame, factors: Sequence[str]) -> list[str]:
    """Name the factors whose levels are compared: those that vary among the runs of the grid."""
    return [name for name in factors if 1 < grid[name].nunique() <= MOST_LEVELS]


def holdout_effects(
    grid: pd.DataFrame,
    finished: pd.DataFrame,
    factors: Sequence[str],
    listed: Sequence[ListedRun],
    *,
    score: str,
    scores: ImageScores | None,
    ratio: float,
) -> list[Effect]:
    """Compare pairs of runs that differ in one setting alone, on their test images.

    Parameters
    ----------
    grid
        Finished runs of the grid, one row per configuration and seed.
    finished
        All finished runs.
    factors
        What the grid varies.
    listed
        The listed runs, each compared with the one that it builds on.
    score
        Column of the score, 0..1.
    scores
        Scores of the runs on single test images; None where they are not known.
    ratio
        As for `compare_pairs`.
    """
    varying = [name for name in factors if grid[name].nunique() > 1]
    only = compared_factors(grid, factors)
    found = factor_effects(grid, varying, only=only, value=score, scores=scores, ratio=ratio)
    of_listed = listed_effects(listed, finished, score=score, scores=scores, ratio=ratio)
    return adjust_for_multiplicity([*found, *of_listed]) if of_listed else found


def questions(
    grid: pd.DataFrame, done: pd.DataFrame, factors: Sequence[str], listed: Sequence[ListedRun]
) -> list[Question]:
    """Return what out-of-fold scores are asked: the same pairs, by configuration.

    Parameters
    ----------
    grid
        Finished configurations of the grid, one row each.
    done
        All finished configurations.
    factors, listed
        As for `holdout_effects`.
    """
    varying = [name for name in factors if grid[name].nunique() > 1]
    found = []
    for factor in compared_factors(grid, factors):
        others = [name for name in varying if name != factor]
        settings = grid[others].astype(str).agg("|".join, axis=1) if others else None
        of_level: dict[Any, dict[str, int]] = {}
        for place, (level, model) in enumerate(zip(grid[factor], grid["model_id"], strict=True)):
            key = "" if settings is None else settings.iloc[place]
            of_level.setdefault(level, {})[key] = int(model)
        for a, b in itertools.combinations(of_level, 2):
            both = [key for key in of_level[a] if key in of_level[b]]
            if both:
                one, two = (tuple(of_level[level][key] for key in both) for level in (a, b))
                found.append(Question(factor, a, b, one, two))
    ids = {run.name: run.model_id for run in listed}
    known = set(done["model_id"])
    for run in listed:
        if run.like is not None and {run.model_id, ids[run.like]} <= known:
            found.append(Question(LISTED, run.name, run.like, (run.model_id,), (ids[run.like],)))
    return found
