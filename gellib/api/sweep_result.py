"""What `gellib.sweep` returns: the table, the choice, the conclusions and the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gellib.api.model import Model, load
from gellib.base.markup import as_plain, in_html
from gellib.base.paths import find_path, shown_path
from gellib.runs import RunFolder, SweepFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gellib.report.summary import Summary


class _Figures(Mapping[str, "Figure"]):
    """The figures of a summary by name; each is drawn, and kept as a file, at first use."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary

    def __getitem__(self, name: str) -> Figure:
        if name not in self._summary.figure_names():
            raise KeyError(f"no figure {name!r}; there are: {', '.join(self)}")
        return self._summary.figure(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._summary.figure_names())

    def __len__(self) -> int:
        return len(self._summary.figure_names())

    def __repr__(self) -> str:
        return f"figures: {', '.join(self)}"


class SweepResult:
    """A sweep that was run: its table, what was chosen, what can be concluded, its figures."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = find_path(folder)

    @cached_property
    def _summary(self) -> Summary:
        from gellib.report.summary import Summary

        return Summary(self.folder)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per run, in the order of the sweep; scores lie in 0..1, times are in seconds."""
        return SweepFolder(self.folder).table()

    @property
    def best(self) -> RunFolder | None:
        """The run that the validation images choose; None where no run has finished."""
        return self._summary.best

    @property
    def figures(self) -> Mapping[str, Figure]:
        """The figures of the summary by name, such as `figures["accuracy"]`."""
        return _Figures(self._summary)

    def conclusions(self) -> list[str]:
        """Return the conclusions from the results, in sentences (Markdown)."""
        from gellib.report.conclusions import conclusions

        return conclusions(self._summary.comparison)

    def load(self) -> Model:
        """Load the best model."""
        return load(self.folder)

    def _chosen(self) -> str:
        from gellib.report.conclusions import chosen_model_sentence

        if self.best is None:
            return "No run has finished."
        return as_plain(chosen_model_sentence(self._summary.comparison))

    def _rows(self) -> pd.DataFrame:
        models, score = self._summary.comparison.models, self._summary.comparison.score
        scores = [f"val_{score}", score, "roc_auc"]
        if self._summary.comparison.adjective == "out-of-fold":
            del scores[0]  # the images that choose are those that score
        columns = "model_id", "label", "status", *scores, "total_s"
        shown = models[[name for name in columns if name in models]].copy()
        for name in scores:
            if name in shown:
                shown[name] = [f"{v:.1%}" if pd.notna(v) else "" for v in shown[name]]
        if "total_s" in shown:
            shown["total_s"] = [f"{v:.1f}" if pd.notna(v) else "" for v in shown["total_s"]]
        return shown.rename(columns={"label": "configuration", "total_s": "seconds"})

    def __repr__(self) -> str:
        table = self._rows().to_string(index=False)
        return f"Sweep {shown_path(self.folder)}\n{table}\n\n{self._chosen()}"

    def _repr_html_(self) -> str:
        table = self._rows().to_html(index=False, escape=True, border=0)
        name, chosen = in_html(shown_path(self.folder)), in_html(self._chosen())
        return f"<p><b>{name}</b></p>{table}<p>{chosen}</p>"


def open_sweep(folder: str | Path) -> SweepResult:
    """Open the folder of a sweep that was run, such as `runs/mine`.

    Raises
    ------
    FileNotFoundError
        When there is no record of a run in it.

    Examples
    --------
    After the example of `sweep`:

    >>> opened = gellib.open_sweep("mine")
    >>> opened.table["status"].tolist()
    ['done']
    >>> opened.best.path.name == opened.table["folder"].iloc[0]
    True
    >>> "accuracy" in opened.figures
    True
    """
    result = SweepResult(folder)
    if not SweepFolder(result.folder).records():
        raise FileNotFoundError(
            f"{shown_path(result.folder)} has no record of a run; expected the folder of a sweep"
        )
    return result
