"""The run that a card, a methods paragraph or a checklist is about, and what it was chosen from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from gellib.base.paths import find_path, shown_path
from gellib.config import RunConfig
from gellib.report.comparison import Comparison
from gellib.runs import Record, RunFolder, SweepFolder, read_sweep_predictions, tabulate

_CROSS_VALIDATED = "cv"


class ReportedError(ValueError):
    """There is no finished run to report; the message says what was found and what to do."""


class Measured(NamedTuple):
    """A score in 0..1 with its 95 % interval (NaN where there is none), of `n` images."""

    value: float
    low: float
    high: float
    n: int

    @property
    def bounded(self) -> bool:
        """Whether it has an interval."""
        return self.low == self.low and self.high == self.high


@dataclass(frozen=True)
class Reported:
    """One finished run, alone or as the best of a sweep.

    Parameters
    ----------
    folder
        Its folder.
    record
        Its record.
    comparison
        The runs it was chosen from; of a run alone, that run.
    sweep
        The folder around it, with what the check found.
    of_sweep
        Whether it stands for a sweep, so that files are named from the sweep's folder.
    """

    folder: RunFolder
    record: Record
    comparison: Comparison
    sweep: SweepFolder
    of_sweep: bool

    @classmethod
    def find(cls, path: str | Path) -> Reported:
        """Find the run of a run's folder, or the best one of a sweep's.

        Raises
        ------
        ReportedError
            When there is neither, or no run has finished.
        """
        place = find_path(path)
        if (place / RunFolder(place).record.name).is_file():
            return cls._of_run(RunFolder(place))
        sweep = SweepFolder(place)
        comparison = Comparison.of(sweep)
        best = sweep.best()
        if best is None:
            problem = next(iter(sweep.unreadable().values()), "")
            raise ReportedError(
                f"{shown_path(place)} has no finished run{f' ({problem})' if problem else ''}; "
                "expected the folder of a finished run or of a sweep, such as runs/gel"
            )
        record = next(r for r in comparison.records if r.name == best.path.name)
        return cls(best, record, comparison, sweep, True)

    @classmethod
    def _of_run(cls, run: RunFolder) -> Reported:
        if (problem := run.unreadable()) is not None:
            raise ReportedError(str(problem))
        record = run.read_record()
        if record is None or not record.done:
            status = record.status if record else "missing"
            why = f": {record.reason}" if record and record.reason else ""
            raise ReportedError(
                f"{shown_path(run.path)}: the run is {status}{why}; expected a finished run"
            )
        # The folder may have been renamed since.
        record = record.model_copy(update={"name": run.path.name})
        around = SweepFolder(run.path.parent)
        comparison = Comparison(
            tabulate([record]),
            folder=around.path,
            info={},
            records=[record],
            predictions=read_sweep_predictions(around.path, [record]),
        )
        return cls(run, record, comparison, around, False)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Its parameters; those that its version did not have yet, by their default."""
        return {**RunConfig().model_dump(), **self.record.config}

    @property
    def crossed(self) -> bool:
        """Whether it was cross-validated."""
        return self.record.evaluation.method == _CROSS_VALIDATED

    @property
    def exclusive(self) -> bool:
        """Whether each image has one label."""
        return self.record.task.exclusive

    @property
    def metric(self) -> str:
        """The metric that runs are compared by, in words."""
        return self.record.task.headline_words

    @property
    def splits(self) -> dict[str, int]:
        """How many images each split has; those of a cross-validation are one, `cv`."""
        metrics = self.record.metrics
        if self.crossed:
            sizes = {_CROSS_VALIDATED: self.record.val.get("n", 0), "test": len_of(metrics, "test")}
        else:
            sizes = {name: len_of(metrics, name) for name in ("train", "val", "test")}
        return {name: n for name, n in sizes.items() if n}

    @property
    def images(self) -> int:
        """How many images it has in all."""
        return sum(self.splits.values())

    @property
    def by_class(self) -> dict[str, int]:
        """How many images each class has; an image of several labels counts for each."""
        counts = self.record.data.counts
        return {name: sum(counts.get(name, {}).values()) for name in self.record.data.classes}

    @property
    def groups(self) -> int | None:
        """How many independent units the images form; None where it is not known.

        Of a cross-validation, those of its images; of a holdout, those of all images.
        """
        if self.crossed:
            return self.record.evaluation.groups
        if self._predictions is None:
            return None
        if "group" not in self._predictions:
            return len(self._predictions)
        group = self._predictions["group"].fillna("").astype(str)
        return int(group[group != ""].nunique() + (group == "").sum())

    @property
    def groups_whole(self) -> bool:
        """Whether all images of each group are in one split; a cross-validation sees to it."""
        if self.crossed or self._predictions is None or "group" not in self._predictions:
            return self.crossed
        table = self._predictions[self._predictions["group"].fillna("").astype(str) != ""]
        return bool((table.groupby("group")["split"].nunique() == 1).all())

    @property
    def grouped_images(self) -> int:
        """How many images `groups` is about."""
        return self.splits.get(_CROSS_VALIDATED, self.images)

    @property
    def out_of_fold(self) -> Measured | None:
        """Out-of-fold score of its configuration as it was seen, and chosen by."""
        if not self.crossed:
            return None
        found = self.comparison.cross_validated
        if found is None:
            return _measured(self.record.val, self.record.task.headline)
        own = found.interval(found.chosen)
        return Measured(own.score, own.low, own.high, own.images)

    @property
    def corrected(self) -> Measured | None:
        """The same, corrected for having been the highest of several; None where it was not."""
        found = self.comparison.cross_validated
        if found is None or len(found.models) < 2:
            return None
        own = found.corrected
        return Measured(own.score, own.low, own.high, own.images)

    @property
    def tested(self) -> Measured | None:
        """Score of its configuration on test images; None where there are none."""
        if not self.record.test or self.comparison.done.empty:
            return None
        row, score = self.comparison.done.iloc[0], self.comparison.score
        own = _measured(self.record.test, score)
        alone = list(row["runs"]) == [self.record.name] and int(row.get("folds_done", 1)) < 2
        if own is not None and own.bounded and alone:
            return own
        low, high = (float(row.get(f"{score}_{end}", float("nan"))) for end in ("low", "high"))
        return Measured(float(row[score]), low, high, int(row["n_test"]))

    @property
    def seeds(self) -> list[int]:
        """The seeds of the finished runs of its configuration."""
        runs = self.comparison.done["runs"].iloc[0]
        own = [r for r in self.comparison.records if r.name in runs]
        return sorted({int(r.config.get("seed", 0)) for r in own})

    @property
    def summary(self) -> Path | None:
        """The summary of its sweep, where there is one."""
        if not self.of_sweep:
            return None
        page = self.sweep.path / "summary.html"
        return next((path for path in (page, self.sweep.summary) if path.is_file()), None)

    def place(self, path: Path) -> str:
        """Name one of its files, from the folder that was given."""
        base = self.sweep.path if self.of_sweep else self.folder.path
        return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name

    @cached_property
    def _predictions(self) -> pd.DataFrame | None:
        try:
            return self.folder.read_predictions()
        except (OSError, ValueError):
            return None


def len_of(metrics: Mapping[str, Mapping[str, Any]], split: str) -> int:
    """Return how many images the metrics of a split are of; 0 without it."""
    return int(metrics.get(split, {}).get("n", 0))


def _measured(metrics: Mapping[str, Any], name: str) -> Measured | None:
    if metrics.get(name) is None:
        return None
    low, high = (metrics.get("intervals") or {}).get(name) or (float("nan"),) * 2
    return Measured(float(metrics[name]), low, high, int(metrics["n"]))
