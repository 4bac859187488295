"""What scores without a network reached, and the configuration on the same images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gellib.base.text import join_and
from gellib.plots.base import percent
from gellib.report.baselines import MAJORITY, STATISTICS
from gellib.report.comparison.reference import majority_of
from gellib.report.handover.reported import Measured, Reported


class KnownBaselines(NamedTuple):
    """Scores that need no network, by name, and that of the configuration on the same images."""

    known: Mapping[str, float]
    own: Measured | None
    images: str


def baselines(found: Reported) -> KnownBaselines:
    """Return the scores that need no network, as far as known, and what to hold against them."""
    comparison, known = found.comparison, {}
    out_of_fold = found.record.scored_on != "test"
    if found.of_sweep and (found.sweep.path / "baselines.json").is_file():
        known = dict(comparison.baselines.means)
        # Beside a given test part too, those of cross-validated runs are of the folds.
        out_of_fold = comparison.cross_validated is not None if known else out_of_fold
    if not known and found.exclusive:
        share = majority_of(comparison.done.head(1))
        known = {} if share is None else {MAJORITY: share}
    if out_of_fold:
        return KnownBaselines(known, found.corrected or found.out_of_fold, "images out of fold")
    return KnownBaselines(known, found.tested, "test images")


def baselines_sentence(found: Reported) -> str:
    """Give the scores that need no network; empty where none is known."""
    known, _, images = baselines(found)
    what = {
        MAJORITY: "always predicting the commonest class",
        STATISTICS: "a logistic regression on image statistics, without a network,",
    }
    parts = [f"{what[name]} reached {percent(known[name])}" for name in what if name in known]
    return f"For comparison, {join_and(parts)} on the {images}." if parts else ""
