"""The form of `4_predict.ipynb`: choose a model, upload or pick an image, see the prediction."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from PIL import Image

from gellib.base.markup import in_html
from gellib.data.foreign_files import READ, READ_SUFFIXES
from gellib.data.image_files import BadImageError
from gellib.data.images import read_image
from gellib.report.summary import image_root
from gellib.report.widgets.cards import about, about_untrained, box, run_label, verdict
from gellib.runs import Record, RunFolder
from gellib.training_run.find_runs import list_runs, no_runs
from gellib.training_run.predictor import Prediction, Predictor, Source

if TYPE_CHECKING:
    from gellib.labsim.zeroshot import ZeroShot

PREVIEW_PX = 320
MOST_CARDS = 24
NOTHING = "choose …"
UNTRAINED = "no training"
_log = logging.getLogger(__name__)


def uploaded_files(value: Any) -> list[tuple[str, bytes]]:
    """Return names and bytes of a `FileUpload`: a dict in ipywidgets 7, a tuple of dicts in 8."""
    if isinstance(value, dict):
        return [(name, bytes(entry["content"])) for name, entry in value.items()]
    return [(entry["name"], bytes(entry["content"])) for entry in value]


def preview(source: Source) -> bytes:
    """Return an image as PNG, at most 320 pixels per side; empty if it cannot be read."""
    content = source[1] if isinstance(source, tuple) else source
    try:
        image = Image.fromarray(read_image(content, color="rgb"))
    except BadImageError:
        return b""
    image.thumbnail((PREVIEW_PX, PREVIEW_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _load_untrained() -> ZeroShot:
    # Only here: torch takes seconds to import, and showing the form does not need it.
    from gellib.labsim.zeroshot import ZeroShot

    return ZeroShot()


class PredictWidget:
    """Form that predicts uploaded images, or a test image, with a finished run.

    The last of its models needs no run: it predicts gel or not, without any training.

    Its callbacks are ordinary methods: `choose_run`, `upload_files`, `pick_image`. It shows
    `predictions`, `about` (the run) and `results` (one card per image).

    Parameters
    ----------
    runs_dir
        Folder with runs or sweeps.
    make_predictor
        Makes the predictor of a run.
    make_untrained
        Makes the model without training.
    """

    def __init__(
        self,
        runs_dir: str | Path = "runs",
        *,
        make_predictor: Callable[[RunFolder], Predictor] = Predictor,
        make_untrained: Callable[[], ZeroShot] = _load_untrained,
    ) -> None:
        self._make_predictor, self._make_untrained = make_predictor, make_untrained
        self.runs = list_runs(runs_dir)
        self.record: Record | None = None
        self.predictor: Predictor | ZeroShot | None = None
        self.sources: list[Source] = []
        self.truth = ""
        self.predictions: Sequence[Prediction] = []
        self.about = widgets.HTML()
        self.results = widgets.VBox([])
        self.upload = widgets.FileUpload()
        self.run_choice = widgets.Dropdown(description="Model", options=[(NOTHING, -1)], value=-1)
        self.image_choice = widgets.Dropdown(description="Test image", options=[(NOTHING, "")])
        self._wide(self.run_choice)
        self._wide(self.image_choice)
        self._or = widgets.HTML("&nbsp;or pick a test image:")
        self._bar = widgets.HBox([])
        self._labels: dict[str, str] = {}
        self._new_upload()
        labels = [(run_label(r), i) for i, r in enumerate(self.runs)]
        self.run_choice.options = [*labels, (f"{UNTRAINED} · gel or not, for a start", UNTRAINED)]
        self.run_choice.value = 0 if self.runs else UNTRAINED
        other = "phone photographs in HEIC, .1sc, CZI and other files: save them as JPEG or TIFF"
        self._reads = widgets.HTML(f"<small>{READ} are read; {other}.</small>")
        top = [self.run_choice, self.about, self._bar, self._reads]
        rows = [*top, self.image_choice, self.results]
        if not self.runs:
            rows.insert(0, widgets.HTML(box(in_html(no_runs(runs_dir)))))
        self.view = widgets.VBox(rows)
        self.choose_run(self.run_choice.value)
        self.run_choice.observe(lambda change: self.choose_run(change["new"]), names="value")
        self.image_choice.observe(lambda change: self.pick_image(change["new"]), names="value")

    def show(self) -> widgets.Widget:
        """Return the form, to be the last value of a cell."""
        return self.view

    def choose_run(self, number: int | str) -> None:
        """Predict the current images with another of the `runs`, by number, or with `UNTRAINED`."""
        self.predictor = None
        if number == UNTRAINED:
            self._choose_untrained()
            return
        run = self.runs[int(number)]
        try:
            self.predictor = self._make_predictor(run)
        except (OSError, ValueError, RuntimeError) as err:
            _log.warning("%s cannot be loaded", run.path, exc_info=True)
            self.about.value = box(f"This model cannot be loaded: {in_html(str(err))}")
            self.results.children = []
            return
        self.record = record = self.predictor.record
        self.about.value = about(record)
        self._root = image_root(record)
        predictions = run.read_predictions()
        test = predictions[predictions["split"] == "test"].sort_values("file")
        self._labels = dict(zip(test["file"], test["label"], strict=True))
        there = [name for name in self._labels if (self._root / name).is_file()]
        self._offer(there)
        options = ((NOTHING, ""), *((name, name) for name in there))
        if options != self.image_choice.options:
            kept = self.image_choice.value
            self.image_choice.options = options
            if kept in there:
                # New options select the first one; setting the value calls `pick_image`.
                self.image_choice.value = kept
                return
        self._predict()

    def _choose_untrained(self) -> None:
        try:
            self.predictor = self._make_untrained()
        except (OSError, ValueError, RuntimeError) as err:
            _log.warning("the pretrained network cannot be loaded", exc_info=True)
            self.about.value = box(f"This model cannot be loaded: {in_html(str(err))}")
            self.results.children = []
            return
        self.record = None
        self.about.value = about_untrained(self.predictor.card)
        # Test images of other classes do not fit this model.
        fits = {*self._labels.values()} == {*self.predictor.labels}
        self._offer([name for _, name in self.image_choice.options if name] if fits else [])
        if not fits and self.truth:
            self.sources, self.truth = [], ""
        self._predict()

    def _offer(self, test_images: list[str]) -> None:
        """Show the list of test images and its caption, if there are any."""
        shown = "" if test_images else "none"
        for widget in (self.image_choice, self._or):
            widget.layout.display = shown

    def upload_files(self, value: Any) -> None:
        """Predict the images that a `FileUpload` holds."""
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
        # A used button keeps its files, so the same file again would be no change: make a new one.
        old = self.upload
        self.upload = widgets.FileUpload(
            accept=",".join(READ_SUFFIXES), multiple=True, description="Upload images"
        )
        self.upload.layout.width = "auto"
        self.upload.observe(lambda change: self.upload_files(change["new"]), names="value")
        self._bar.children = [self.upload, self._or]
        old.close()

    def _predict(self) -> None:
        if self.predictor is None or not self.sources:
            self.results.children = []
            return
        shown = self.sources[:MOST_CARDS]
        try:
            self.predictions = self.predictor.predict(shown)
        except (OSError, ValueError, RuntimeError) as err:
            _log.warning("prediction failed", exc_info=True)
            self.predictions = []
            self.results.children = [widgets.HTML(box(f"No prediction: {in_html(str(err))}"))]
            return
        cards = [self._card(s, p) for s, p in zip(shown, self.predictions, strict=True)]
        rest = len(self.sources) - len(shown)
        if rest:
            text = f"{rest} more are not shown; `gellib predict` takes any number of images."
            cards.append(widgets.HTML(box(text)))
        self.results.children = cards

    def _card(self, source: Source, prediction: Prediction) -> widgets.Widget:
        name = in_html(Path(prediction.file).name)
        if prediction.error:
            return widgets.HTML(box(f"<b>{name}</b> cannot be read: {in_html(prediction.error)}"))
        text = widgets.HTML(verdict(prediction, self.record, self.truth))
        text.layout.width = "430px"
        caption = widgets.HTML(f"<div style='color:#555;max-width:320px'>{name}</div>")
        image = widgets.Image(value=preview(source), format="png")
        image.layout.max_width = f"{PREVIEW_PX}px"
        image.layout.object_fit = "contain"
        left = widgets.VBox([image, caption])
        left.layout.margin = "0 24px 0 0"
        card = widgets.HBox([left, text])
        card.layout.margin = "16px 0 0 0"
        card.layout.flex_flow = "row wrap"
        return card

    @staticmethod
    def _wide(choice: widgets.Dropdown) -> None:
        choice.layout.width = "min(720px, 98%)"
        choice.style.description_width = "90px"
