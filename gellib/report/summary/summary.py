"""All that the summary notebook shows of a sweep: `Summary`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from IPython.display import Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from gellib import plots
from gellib.base.paths import find_path
from gellib.report.comparison import Comparison
from gellib.report.conclusions import conclusions, count
from gellib.report.summary.facts import as_markdown, warning_box, what_was_run
from gellib.report.summary.figures import NO_BEST, Figures
from gellib.report.summary.tables import (
    effects_table,
    experiments_table,
    ranking_table,
    skipped_failed,
    style_table,
)
from gellib.runs import RunFolder, SweepFolder, best_run

# Sections that a sweep may be without bring their heading along.
_HEADINGS = {
    "factors": "### By what the sweep varies",
    "search": "### Batch size and learning rate",
    "experiments": "### Classes, losses and confusions, by model",
}


class Summary:
    """All that the summary notebook shows of one sweep, each as one call.

    Parameters
    ----------
    sweep_dir
        Folder of the sweep, as `runs/gel`.

    Raises
    ------
    FileNotFoundError
        When there is no record of a run in it that can be read.
    """

    def __init__(self, sweep_dir: str | Path) -> None:
        self.sweep = SweepFolder(find_path(sweep_dir))
        self.comparison = Comparison.of(self.sweep)
        self.records = self.comparison.records
        unreadable = list(self.sweep.unreadable().values())
        if not self.records and unreadable:
            raise FileNotFoundError(unreadable[0])
        if not self.records:
            raise FileNotFoundError(
                f"{self.sweep.path} has no record of a run; expected the folder of a sweep. "
                f"Run it first: gellib sweep {Path(sweep_dir).as_posix().rstrip('/')}.yaml"
            )
        self.table = self.comparison.table
        name = best_run(self.table)
        self.best = RunFolder(self.sweep.path / name) if name else None
        self._drawn = Figures(self.comparison, self.sweep.path, self.best)

    def what_was_run(self) -> str:
        """Markdown: the warning about weights first, then purpose, data and machine."""
        facts = what_was_run(self.comparison.info, self.records, self.sweep.unreadable())
        return f"{warning_box(self.table)}\n\n{facts}"

    def models(self) -> Styler:
        """Return the table of finished models, the best in bold."""
        return style_table(self.comparison)

    def absent(self) -> Styler:
        """Return skipped and failed runs with their reasons."""
        return skipped_failed(self.comparison)

    def conclusions(self) -> str:
        """Markdown: what the results say; `what_was_run` has the warning about weights."""
        return as_markdown(conclusions(self.comparison))

    def tables(self) -> list[Styler]:
        """Return what the conclusions rest on: experiments, effects of factors, the ranking."""
        found = (
            experiments_table(self.comparison, self._drawn.losses()),
            effects_table(self.comparison),
            ranking_table(self.comparison),
        )
        return [table for table in found if table is not None]

    def best_model(self) -> str:
        """Markdown: which run the figures of the best model show."""
        if self.best is None:
            return NO_BEST
        word = self.comparison.task.headline_words
        by = f"its {word} on the validation images"
        runs = self.comparison.done["runs"].iloc[0]
        if self.comparison.seeds > 1:
            by = f"the mean {word} of its model's {count(len(runs), 'seed')} on the validation "
            by += "images, and of these by its own"
        return (
            f"Run **{self.best.path.name}**, chosen by {by}. All that follows "
            "but the curves of training is on the test images."
        )

    def figure_names(self, section: str = "") -> list[str]:
        """Names that `figure` knows, of one section or of all, in the order of the notebook."""
        sections = self._drawn.sections()
        chosen = [sections[section]] if section else sections.values()
        return [name for figures in chosen for name in figures]

    def figure(self, name: str) -> Figure:
        """Draw one figure and keep it as `figures/<name>.png` in the sweep's folder."""
        figures = {k: v for part in self._drawn.sections().values() for k, v in part.items()}
        if name not in figures:
            raise ValueError(f"no figure {name!r}; there are: {', '.join(figures)}")
        if name.startswith("best_") and self.best is None:
            # Nothing is saved: an older image of a best model would outlive it.
            return plots.message(NO_BEST)
        try:
            fig = figures[name]()
        except FileNotFoundError as err:
            return plots.message(f"Cannot be drawn: {Path(str(err.filename)).name} is not there.")
        plots.save(fig, self.sweep.figures / f"{name}.png")
        return fig

    def section(self, name: str) -> list[Any]:
        """Draw the figures of a section; none where the sweep does not vary what they show."""
        names = self.figure_names(name)
        heading = [Markdown(_HEADINGS[name])] if names and name in _HEADINGS else []
        return [*heading, *map(self.figure, names)]
