"""The form of `4_predict.ipynb`: choose a run and a picture, see what the run says of it."""

from __future__ import annotations

import html
import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from PIL import Image

from gellib.conclusions import in_images
from gellib.images import BadImageError, read_image
from gellib.plots.base import percent
from gellib.predictor import Prediction, Predictor, Source, list_runs, no_runs
from gellib.runs import JOIN, RunFolder
from gellib.summary import image_root

PREVIEW_PX = 320
MOST_CARDS = 24
MOST_BARS = 10
BAR_PX = 220
NOTHING = "choose …"
_log = logging.getLogger(__name__)


def uploaded_files(value: Any) -> list[tuple[str, bytes]]:
    """Names and bytes from a `FileUpload`: a dict in ipywidgets 7, a tuple of dicts in 8."""
    if isinstance(value, dict):
        return [(name, bytes(entry["content"])) for name, entry in value.items()]
    return [(entry["name"], bytes(entry["content"])) for entry in value]


def preview(source: Source) -> bytes:
    """PNG of a picture, at most 320 pixels a side; empty bytes for one that cannot be read."""
    content = source[1] if isinstance(source, tuple) else source
    try:
        picture = Image.fromarray(read_image(content, color="rgb"))
    except BadImageError:
        return b""
    picture.thumbnail((PREVIEW_PX, PREVIEW_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


class PredictWidget:
    """Form that asks a finished run what is in uploaded pictures or in a test image.

    Its callbacks are ordinary methods: `choose_run`, `upload_files`, `pick_image`. What it shows is
    in `answers` (the predictions), `about` (the run) and `results` (a card a picture).
    """

    def __init__(
        self,
        runs_dir: str | Path = "runs",
        *,
        make_predictor: Callable[[RunFolder], Predictor] = Predictor,
    ) -> None:
        self._make_predictor = make_predictor
        self.runs = list_runs(runs_dir)
        self.predictor: Predictor | None = None
        self.sources: list[Source] = []
        self.truth = ""
        self.answers: list[Prediction] = []
        self.about = widgets.HTML()
        self.results = widgets.VBox([])
        self.upload = widgets.FileUpload()
        self.run_choice = widgets.Dropdown(description="Model", options=[(NOTHING, -1)], value=-1)
        self.image_choice = widgets.Dropdown(description="Test image", options=[(NOTHING, "")])
        self._wide(self.run_choice)
        self._wide(self.image_choice)
        self._bar = widgets.HBox([])
        self.view = widgets.VBox([])
        if not self.runs:
            self.about.value = _box(html.escape(no_runs(runs_dir)))
            self.view.children = [self.about]
            return
        self._new_upload()
        self.run_choice.options = [(_run_label(r), i) for i, r in enumerate(self.runs)]
        self.run_choice.value = 0
        self.view.children = [
            self.run_choice,
            self.about,
            self._bar,
            self.image_choice,
            self.results,
        ]
        self.choose_run(0)
        self.run_choice.observe(lambda change: self.choose_run(change["new"]), names="value")
        self.image_choice.observe(lambda change: self.pick_image(change["new"]), names="value")

    def show(self) -> widgets.Widget:
        """Return the form, to be the last value of a cell."""
        return self.view

    def choose_run(self, number: int) -> None:
        """Ask another of the `runs`; pictures that are there are predicted again."""
        run = self.runs[number]
        self.predictor = None
        try:
            self.predictor = self._make_predictor(run)
        except (OSError, ValueError, RuntimeError) as err:
            _log.warning("%s cannot be loaded", run.path, exc_info=True)
            self.about.value = _box(f"This model cannot be loaded: {html.escape(str(err))}")
            self.results.children = []
            return
        record = self.predictor.record
        self.about.value = _about(record)
        self._root = image_root(record)
        predictions = run.read_predictions()
        test = predictions[predictions["split"] == "test"].sort_values("file")
        self._labels = dict(zip(test["file"], test["label"], strict=True))
        there = [name for name in self._labels if (self._root / name).is_file()]
        self.image_choice.layout.display = "" if there else "none"
        options = ((NOTHING, ""), *((name, name) for name in there))
        if options != self.image_choice.options:
            kept = self.image_choice.value
            self.image_choice.options = options
            if kept in there:
                # New options select the first; setting the value again calls `pick_image`.
                self.image_choice.value = kept
                return
        self._predict()

    def upload_files(self, value: Any) -> None:
        """Predict the pictures that a `FileUpload` holds."""
        files = uploaded_files(value)
        if not files:
            return
        self.sources, self.truth = list(files), ""
        self.image_choice.value = ""
        self._new_upload()
        self._predict()

    def pick_image(self, name: str) -> None:
        """Predict one of the run's test images, by its name in the data set."""
        if not name:
            return
        self.sources, self.truth = [self._root / name], self._labels[name]
        self._predict()

    def _new_upload(self) -> None:
        # A used button keeps its files, and the same file again would be no change: take a new one.
        old = self.upload
        self.upload = widgets.FileUpload(
            accept="image/*,.tif,.tiff", multiple=True, description="Upload pictures"
        )
        self.upload.layout.width = "auto"
        self.upload.observe(lambda change: self.upload_files(change["new"]), names="value")
        self._bar.children = [self.upload, widgets.HTML("&nbsp;or pick a test image:")]
        old.close()

    def _predict(self) -> None:
        if self.predictor is None or not self.sources:
            self.results.children = []
            return
        shown = self.sources[:MOST_CARDS]
        try:
            self.answers = self.predictor.predict(shown)
        except (OSError, ValueError, RuntimeError) as err:
            _log.warning("prediction failed", exc_info=True)
            self.answers = []
            self.results.children = [widgets.HTML(_box(f"No answer: {html.escape(str(err))}"))]
            return
        cards = [self._card(s, a) for s, a in zip(shown, self.answers, strict=True)]
        rest = len(self.sources) - len(shown)
        if rest:
            text = f"{rest} more are not shown; gellib predict answers for any number."
            cards.append(widgets.HTML(_box(text)))
        self.results.children = cards

    def _card(self, source: Source, answer: Prediction) -> widgets.Widget:
        name = html.escape(Path(answer.file).name)
        if answer.error:
            return widgets.HTML(_box(f"<b>{name}</b> cannot be read: {html.escape(answer.error)}"))
        text = widgets.HTML(verdict(answer, self.predictor.record, self.truth))
        text.layout.width = "430px"
        caption = widgets.HTML(f"<div style='color:#555;max-width:320px'>{name}</div>")
        picture = widgets.Image(value=preview(source), format="png")
        picture.layout.max_width = f"{PREVIEW_PX}px"
        picture.layout.object_fit = "contain"
        left = widgets.VBox([picture, caption])
        left.layout.margin = "0 24px 0 0"
        card = widgets.HBox([left, text])
        card.layout.margin = "16px 0 0 0"
        card.layout.flex_flow = "row wrap"
        return card

    @staticmethod
    def _wide(choice: widgets.Dropdown) -> None:
        choice.layout.width = "min(720px, 98%)"
        choice.style.description_width = "90px"


def verdict(answer: Prediction, record: dict[str, Any], truth: str = "") -> str:
    """HTML: the verdict in words, a bar a class, and which model said so."""
    labels = sorted(answer.labels, key=lambda name: -answer.probabilities[name])
    said = [f"{html.escape(name)}, {percent(answer.probabilities[name], 0)}" for name in labels]
    size = "1.6em" if len(labels) < 3 else "1.2em"
    parts = [
        f"<div style='font-size:{size};font-weight:bold;line-height:1.3'>"
        f"{'<br>'.join(said) or 'no label'}</div>"
    ]
    if truth:
        right = truth == answer.label
        mark, colour = ("✓ right", "#00664B") if right else ("✗ wrong", "#B00000")
        what = "the true labels are" if answer.thresholds else "the true class is"
        named = truth.replace(JOIN, ", ") if answer.thresholds else truth
        parts.append(
            f"<div style='color:{colour};font-weight:bold'>{mark}: {what} "
            f"{html.escape(named)}</div>"
        )
    parts.append(_bars(answer))
    parts.append(f"<div style='color:#444'>says {html.escape(_who(record))}</div>")
    return "".join(parts)


def _bars(answer: Prediction) -> str:
    ordered = sorted(answer.probabilities.items(), key=lambda item: -item[1])
    rows, labels = [], answer.labels
    # Every label that the image gets is shown, and enough of the others.
    shown = ordered[: max(MOST_BARS, len(labels))] if answer.thresholds else ordered[:MOST_BARS]
    for name, share in shown:
        colour = "#0072B2" if name in labels else "#9DB4C6"
        bar = f"background:{colour};height:16px;width:{BAR_PX * share:.0f}px"
        rows.append(
            f"<tr><td style='padding:2px 10px 2px 0;text-align:right'>{html.escape(name)}</td>"
            f"<td><div style='background:#ECECEC;width:{BAR_PX}px;position:relative'>"
            f"<div style='{bar}'></div>{_mark(answer.thresholds.get(name))}</div>"
            f"</td><td style='padding:2px 0 2px 10px;text-align:right'>{percent(share)}</td></tr>"
        )
    table = f"<table style='margin:10px 0;border-collapse:collapse'>{''.join(rows)}</table>"
    if answer.thresholds:
        table += "<div style='color:#444'>A label is given where its bar reaches the mark.</div>"
    return table


def _mark(threshold: float | None) -> str:
    if threshold is None:
        return ""
    place = f"left:{BAR_PX * threshold:.0f}px;top:-2px;height:20px;width:2px"
    return f"<div style='position:absolute;background:#222222;{place}'></div>"


def _who(record: dict[str, Any]) -> str:
    config = record["config"]
    parts = (
        config["pretrained_model"],
        f"{config['classifier_head']} head",
        config["opt_alg"],
        f"trained on {config['hardware_type']}",
        f"model {config['model_id']}",
    )
    return ", ".join(parts)


def _about(record: dict[str, Any]) -> str:
    test = record["metrics"]["test"]
    right = "all labels right on" if "hamming_loss" in test else "right on"
    text = (
        f"<p style='margin:4px 0'>{html.escape(_who(record))}: {right} "
        f"{in_images(test['accuracy'], test['n'])}, which it had never seen.</p>"
    )
    warning = record["weights"].get("warning", "")
    return text + (_box(f"<b>⚠ {html.escape(warning)}</b>") if warning else "")


def _run_label(run: RunFolder) -> str:
    accuracy = run.read_record()["metrics"]["val"]["accuracy"]
    return f"{run.path.name} · {percent(accuracy)} on validation · {run.path.parent.name}"


def _box(text: str) -> str:
    style = (
        "border-left:8px solid #D55E00;background:#FFF1E6;color:#222;padding:8px 14px;"
        "margin:8px 0;max-width:720px;line-height:1.4"
    )
    return f"<div role='alert' style='{style}'>{text}</div>"
