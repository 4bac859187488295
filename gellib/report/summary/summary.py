"""The content of the summary notebook: `Summary`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.display import Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from gellib import plots
from gellib.base.markup import in_code, in_markdown
from gellib.base.paths import find_path, in_shell
from gellib.report.comparison import Comparison
from gellib.report.conclusions import conclusions, count
from gellib.report.conclusions.more_images import more_images_sentence
from gellib.report.summary.answer import Answer, find_answer
from gellib.report.summary.check_findings import read_check_findings
from gellib.report.summary.figures import NO_BEST, Figures
from gellib.report.summary.heading import heading
from gellib.report.summary.listed_runs_table import listed_runs_table
from gellib.report.summary.models_table import style_table
from gellib.report.summary.overview import (
    absent_runs,
    as_markdown,
    warning_box,
    what_was_run,
)
from gellib.report.summary.tables import (
    effects_table,
    tied_models_table,
    verdicts_table,
)
from gellib.runs import RunFolder, SweepFolder, best_run

if TYPE_CHECKING:
    from gellib.training_run.more_images import MoreImages

# Sections that not every sweep has; their heading is shown with them.
_HEADINGS = {
    "factors": "### By what the sweep varies",
    "times": "### Times and sizes",
    "search": "### Batch size and learning rate",
    "listed": "### Classes, by model",
    "next": "### What more images would give",
}


class Summary:
    """The content of the summary notebook, one method per output.

    Parameters
    ----------
    sweep_dir
        Folder of the sweep, as `runs/gel`.

    Raises
    ------
    FileNotFoundError
        When the folder has no readable record of a run.
    """

    def __init__(self, sweep_dir: str | Path) -> None:
        self.sweep = SweepFolder(find_path(sweep_dir))
        self._named = Path(sweep_dir)
        self.comparison = Comparison.of(self.sweep)
        self.records = self.comparison.records
        unreadable = list(self.sweep.unreadable().values())
        if not self.records and unreadable:
            raise FileNotFoundError(unreadable[0])
        if not self.records:
            raise FileNotFoundError(
                f"{self.sweep.path} has no record of a run; expected the folder of a sweep. "
                f"Run it first: gellib sweep {in_shell(f'{Path(sweep_dir)}.yaml')}"
            )
        self.table = self.comparison.table
        name = best_run(self.table)
        self.best = RunFolder(self.sweep.path / name) if name else None
        self._drawn = Figures(
            self.comparison, self.sweep.path, self.best, more_images=lambda: self.more_images
        )

    def opening(self) -> list[Any]:
        """Return what the summary opens with: heading and warnings, the answer, and pictures."""
        top = f"# {heading(self.comparison)}\n\n{warning_box(self.table)}"
        answer = self.answer() or f"{NO_BEST}\n\n{self.absent()}"
        return [Markdown(top), Markdown(answer), *self.section("answer")]

    def answer(self) -> str:
        """Return as an HTML box which model to use, how good it is, and what to do next."""
        return self._answer().html()

    def answer_text(self) -> str:
        """Return the same as lines for a terminal."""
        return self._answer().text()

    def _answer(self) -> Answer:
        found, word = self.more_images, self.comparison.task.headline_words
        return find_answer(
            self.comparison,
            self._named,
            findings=read_check_findings(self.sweep, self.comparison),
            next_steps=[] if found is None else [more_images_sentence(found, word)],
            more_help=found is None or not found.expected().flat,
        )

    @cached_property
    def more_images(self) -> MoreImages | None:
        """What more images are expected to give the best model; None where it is not known."""
        record = self.best.read_record() if self.best is not None else None
        if record is None:
            return None
        # Only here: torch takes seconds to import.
        from gellib.training_run.more_images import expect_more_images

        return expect_more_images(record)

    def what_was_run(self) -> str:
        """Return as Markdown purpose, data and machine."""
        return what_was_run(self.comparison.info, self.records, self.sweep.unreadable())

    def models(self) -> Styler:
        """Return the table of finished models, the best in bold."""
        return style_table(self.comparison)

    def absent(self) -> str:
        """Name as Markdown skipped and failed runs, one line per reason; empty without any."""
        return absent_runs(self.comparison)

    def conclusions(self) -> str:
        """Return the conclusions as Markdown; the warning about weights is in `what_was_run`."""
        return as_markdown(conclusions(self.comparison))

    def tables(self) -> list[Styler]:
        """Return the tables behind the conclusions: listed runs, effects of factors, ties."""
        found = (
            listed_runs_table(self.comparison, self._drawn.losses()),
            verdicts_table(self.comparison),
            effects_table(self.comparison),
            tied_models_table(self.comparison),
        )
        return [table for table in found if table is not None]

    def best_model(self) -> str:
        """Return as Markdown which run the figures of the best model show."""
        if self.best is None:
            return NO_BEST
        word = self.comparison.task.headline_words
        out_of_fold = self.comparison.choice == "out-of-fold"
        where = "out of fold" if out_of_fold else "on the validation images"
        by = f"its {word} {where}"
        runs = self.comparison.done["runs"].iloc[0]
        if self.comparison.seeds > 1:
            by = f"the mean {word} of its model's {count(len(runs), 'seed')} {where}; of these "
            by += "seeds, the best one"
        curves = "best_loss_accuracy" in self.figure_names("best")
        rest = "Except for the training curves, everything" if curves else "Everything"
        return (
            f"Run **{in_markdown(self.best.path.name)}**, chosen by {by}. {rest} below is on the "
            f"{self.comparison.images_scored}. Its card says what it was trained on and what it "
            f"must not be used for: {in_code(f'gellib card {in_shell(self._named)}')}."
        )

    def card(self) -> str:
        """Return as Markdown the card of the best model."""
        if self.best is None:
            return NO_BEST
        # Only here: the card takes sentences of the summary.
        from gellib.report.handover import Reported, card_section

        record = next(record for record in self.records if record.name == self.best.path.name)
        whole = len(self.records) > 1
        return card_section(Reported(self.best, record, self.comparison, self.sweep, whole))

    def figure_names(self, section: str = "") -> list[str]:
        """Return the names of figures of one section, or of all, in the order of the notebook."""
        sections = self._drawn.sections()
        chosen = [sections[section]] if section else sections.values()
        return [name for figures in chosen for name in figures]

    def figure(self, name: str) -> Figure:
        """Draw one figure and save it as `figures/<name>.png` in the sweep's folder.

        Raises
        ------
        ValueError
            When there is no figure of this name.
        """
        figures = {k: v for part in self._drawn.sections().values() for k, v in part.items()}
        if name not in figures:
            raise ValueError(f"no figure {name!r}; there are: {', '.join(figures)}")
        if name.startswith("best_") and self.best is None:
            # The message is not saved as a figure of the sweep.
            return plots.message(NO_BEST)
        try:
            fig = figures[name]()
        except FileNotFoundError as err:
            return plots.message(f"Cannot be drawn: {Path(str(err.filename)).name} is missing.")
        plots.save(fig, self.sweep.figures / f"{name}.png")
        return fig

    def section(self, name: str) -> list[Any]:
        """Draw the figures of a section; none where the sweep does not vary what they show.

        Those that are panels of another one are kept as files and not returned.
        """
        drawn = {one: self.figure(one) for one in self.figure_names(name)}
        shown = [fig for one, fig in drawn.items() if one not in self._drawn.kept_only()]
        return [*([Markdown(_HEADINGS[name])] if shown and name in _HEADINGS else []), *shown]
