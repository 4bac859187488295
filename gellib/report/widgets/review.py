"""The form of `1_explore.ipynb` for doubtful labels: keep, change or drop each."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as widgets
import pandas as pd

from gellib.base.files import write_csv
from gellib.base.markup import in_html
from gellib.data import HEADER, REVIEWED, Decision, ImageSet, read_decisions
from gellib.plots.base import percent
from gellib.report.thumbnails import preview

_COLOURS = {"keep": "#00664B", "change": "#0072B2", "drop": "#B00000"}


class ReviewWidget:
    """Form that shows doubtful labels for a person to decide on.

    Every decision is written at once to `labels_reviewed.csv` in the folder of the images, and is
    applied whenever they are loaded again. Its callbacks are ordinary methods: `decide`,
    `take_back`.

    Parameters
    ----------
    images
        The images.
    suspects
        One row per doubtful label, as `gellib.audit.suspects.label_suspects` returns.
    """

    def __init__(self, images: ImageSet, suspects: pd.DataFrame) -> None:
        self.root = Path(images.root)
        self.classes = images.classes
        self.suspects = suspects
        self._paths = dict(zip(images.table["file"], images.table["path"], strict=True))
        self.decisions = {d.file: d for d in read_decisions(self.root)}
        self._states: dict[str, widgets.HTML] = {}
        self._choices: dict[str, widgets.Dropdown] = {}
        self.about = widgets.HTML()
        self.cards = [self._card(row) for row in suspects.itertuples(index=False)]
        self.view = widgets.VBox([self.about, *self.cards])
        self._refresh()

    def show(self) -> widgets.Widget:
        """Return the form, to be the last value of a cell."""
        return self.view

    def decide(self, file: str, decision: str, label: str = "") -> None:
        """Save a decision about a file.

        Parameters
        ----------
        file
            Name of the image file.
        decision
            `keep`, `drop`, or `change`.
        label
            The new label, for `change`.

        Raises
        ------
        ValueError
            When the new label is none of the classes.
        """
        if decision == "change" and label not in self.classes:
            raise ValueError(f"label: got {label!r}. Expected one of {', '.join(self.classes)}.")
        self._save(file, Decision(file, decision, label if decision == "change" else ""))

    def take_back(self, file: str) -> None:
        """Delete the decision about a file."""
        self._save(file, None)

    def _save(self, file: str, decision: Decision | None) -> None:
        # Read again: another notebook, or a person, may have written since.
        decisions = {d.file: d for d in read_decisions(self.root)}
        if decision is None:
            decisions.pop(file, None)
        else:
            decisions[file] = decision
        rows = [(d.file, d.decision, d.label) for d in decisions.values()]
        write_csv(self.root / REVIEWED, pd.DataFrame(rows, columns=list(HEADER)))
        self.decisions = decisions
        self._refresh()

    def _refresh(self) -> None:
        for file, state in self._states.items():
            state.value = _state(self.decisions.get(file))
        if not len(self.suspects):
            self.about.value = "<p>No label is doubtful.</p>"
            return
        done = sum(file in self.decisions for file in self._states)
        self.about.value = (
            f"<p>{done} of {len(self._states)} decided, written to {REVIEWED}. "
            "Load the images again to work with the decisions.</p>"
        )

    def _card(self, row) -> widgets.Widget:
        image = widgets.Image(value=preview(self._paths[row.file]), format="png")
        image.layout.max_width = "240px"
        image.layout.object_fit = "contain"
        text = widgets.HTML(
            f"<b>{in_html(row.file)}</b><br>labelled <b>{in_html(row.label)}</b>, which is "
            f"{percent(row.p_label)} likely; looks like <b>{in_html(row.suggested)}</b>, "
            f"{percent(row.p_suggested)}"
        )
        keep = widgets.Button(description="Keep", tooltip="The label is right")
        change = widgets.Button(description="Change to", tooltip="Another label is right")
        drop = widgets.Button(description="Drop", tooltip="Leave this image out")
        undo = widgets.Button(description="Undo", tooltip="Delete the decision")
        choice = widgets.Dropdown(
            options=[name for name in self.classes if name != row.label], value=row.suggested
        )
        for widget, width in ((keep, 80), (change, 100), (choice, 160), (drop, 80), (undo, 80)):
            widget.layout.width = f"{width}px"
        file = row.file
        keep.on_click(lambda _: self.decide(file, "keep"))
        change.on_click(lambda _: self.decide(file, "change", choice.value))
        drop.on_click(lambda _: self.decide(file, "drop"))
        undo.on_click(lambda _: self.take_back(file))
        self._states[file], self._choices[file] = widgets.HTML(), choice
        buttons = widgets.HBox([keep, change, choice, drop, undo])
        buttons.layout.flex_flow = "row wrap"
        side = widgets.VBox([text, buttons, self._states[file]])
        side.layout.margin = "0 0 0 24px"
        card = widgets.HBox([image, side])
        card.layout.margin = "12px 0"
        card.layout.flex_flow = "row wrap"
        return card


def _state(decision: Decision | None) -> str:
    if decision is None:
        return ""
    words = {"keep": "kept", "change": f"changed to {decision.label}", "drop": "dropped"}
    return (
        f"<span style='color:{_COLOURS[decision.decision]};font-weight:bold'>✓ "
        f"{in_html(words[decision.decision])}</span>"
    )
