"""The form of `4_predict.ipynb`: choose a model, upload or pick images, see the predictions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import ipywidgets as widgets

from gellib.base.markup import in_html
from gellib.base.paths import find_path, shown_path
from gellib.report.summary import image_root
from gellib.report.widgets.about_model import about, about_untrained
from gellib.report.widgets.controls import (
    NOTHING,
    UNTRAINED,
    heat_map_box,
    image_list,
    model_list,
    path_field,
    upload_button,
    what_is_read,
)
from gellib.report.widgets.heat_map import Overlay, heat_maps
from gellib.report.widgets.messages import box, busy
from gellib.report.widgets.shown_predictions import show_predictions
from gellib.report.widgets.uploads import uploaded_files
from gellib.runs import Record, RunFolder
from gellib.training_run.find_runs import list_runs, no_runs
from gellib.training_run.predictor import ImageSource, Prediction, Predictor, expand_files

if TYPE_CHECKING:
    from gellib.labsim.zeroshot import ZeroShot

MOST_MAPS = 24
# So many images are predicted between two moves of the bar.
_AT_ONCE = 8
_FAILURES = (OSError, ValueError, RuntimeError)
_Model = TypeVar("_Model")
_log = logging.getLogger(__name__)


def load_untrained() -> ZeroShot:
    """Load the model that knows gels without training."""
    # Only here: torch takes seconds to import, and showing the form does not need it.
    from gellib.labsim.zeroshot import ZeroShot

    return ZeroShot()


class PredictWidget:
    """Form that predicts uploaded images, those of a folder, or a test image, with a finished run.

    The last of its models needs no run: it predicts gel or not, without any training.

    Its callbacks are ordinary methods: `choose_run`, `upload_files`, `pick_image`, `open_path`. It
    shows `predictions`, `about` (the run), `status` (what is going on) and `results`: of one image
    a card, of several a table to download.

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
        make_untrained: Callable[[], ZeroShot] = load_untrained,
    ) -> None:
        self._make_predictor, self._make_untrained = make_predictor, make_untrained
        self.runs = list_runs(runs_dir)
        self.record: Record | None = None
        self.predictor: Predictor | ZeroShot | None = None
        self.sources: list[ImageSource] = []
        self.truth = ""
        self.predictions: Sequence[Prediction] = []
        self._labels: dict[str, str] = {}
        self.about, self.status, self.results = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.run_choice, self.image_choice = model_list(self.runs), image_list()
        self.path, self.heat_map = path_field(), heat_map_box()
        self.upload = upload_button(self.upload_files)
        self._bar = widgets.HBox([self.upload])
        self.read = what_is_read()
        images = [self._bar, self.path, self.image_choice, self.heat_map, self.read]
        rows = [self.run_choice, self.about, *images, self.status, self.results]
        if not self.runs:
            rows.insert(0, widgets.HTML(box(in_html(self._no_model(runs_dir)))))
        self.view = widgets.VBox(rows)
        self.choose_run(self.run_choice.value)
        self.run_choice.observe(lambda change: self.choose_run(change["new"]), names="value")
        self.image_choice.observe(lambda change: self.pick_image(change["new"]), names="value")
        self.path.observe(lambda change: self.open_path(change["new"]), names="value")
        self.heat_map.observe(lambda _: self._show(), names="value")

    def show(self) -> widgets.Widget:
        """Return the form, to be the last value of a cell."""
        return self.view

    def choose_run(self, number: int | str) -> None:
        """Predict the current images with another of the `runs`, by number, or with `UNTRAINED`."""
        self.predictor, self.record = None, None
        if number == UNTRAINED:
            self._choose_untrained()
            return
        run = self.runs[int(number)]
        self.record = record = run.read_record()
        if record is None:
            self._fail("This model cannot be loaded", f"{run.path} has no record any more")
            return
        self.about.value = about(record)
        self._root = image_root(record)
        try:
            predictions = run.read_predictions()
            test = predictions[predictions["split"] == "test"].sort_values("file")
            self._labels = dict(zip(test["file"], test["label"], strict=True))
        except (*_FAILURES, KeyError) as err:
            self._labels = {}
            self._offer([])
            why = f"no column {err}" if isinstance(err, KeyError) else str(err)
            self._fail("Test images cannot be listed", f"{shown_path(run.predictions)}: {why}")
            return
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
        untrained = self._load(self._make_untrained)
        if untrained is None:
            return
        self.predictor = untrained
        self.about.value = about_untrained(untrained.card)
        # Test images of other classes do not fit this model.
        fits = {*self._labels.values()} == {*untrained.labels}
        self._offer([name for _, name in self.image_choice.options if name] if fits else [])
        if not fits and self.truth:
            self.sources, self.truth = [], ""
        self._predict()

    def _load(self, make: Callable[[], _Model]) -> _Model | None:
        """Load a model; None, with a message, where that cannot be."""
        try:
            with self._waiting("Loading the model; the first one takes some seconds"):
                return make()
        except _FAILURES as err:
            _log.warning("the model cannot be loaded", exc_info=True)
            self._fail("This model cannot be loaded", err)
            return None

    def _no_model(self, runs_dir: str | Path) -> str:
        return no_runs(runs_dir)

    def _fail(self, what: str, why: object) -> None:
        self.predictions, self.results.value = [], box(f"{what}: {in_html(why)}")

    @contextmanager
    def _waiting(self, text: str) -> Iterator[Callable[[int, int], None]]:
        """Say what is being waited for; what it yields takes how much is done, and of how much."""

        def refresh(done: int, total: int) -> None:
            self.status.value = busy(f"{text}: {done} of {total}", done, total)

        self.status.value = busy(f"{text} …")
        try:
            yield refresh
        finally:
            self.status.value = ""

    def _offer(self, test_images: list[str]) -> None:
        """Show the list of test images, if there are any."""
        self.image_choice.layout.display = "" if test_images else "none"

    def upload_files(self, value: Any) -> None:
        """Predict the images that a `FileUpload` holds."""
        files = uploaded_files(value)
        if files:
            self.path.value = ""
            self._new_upload()
            self._open(list(files))

    def open_path(self, text: str) -> None:
        """Predict an image file, or all images of a folder."""
        # A path that was copied from a file manager may stand in quotes.
        path = text.strip().strip("'\"")
        if not path:
            return
        try:
            self._open([*expand_files([find_path(Path(path).expanduser())])])
        except _FAILURES as err:
            self._fail("No prediction", err)

    def _open(self, sources: list[ImageSource]) -> None:
        self.sources, self.truth = sources, ""
        self.image_choice.value = ""
        self._predict()

    def pick_image(self, name: str) -> None:
        """Predict one of the run's test images, by its name in the data set."""
        if not name:
            return
        self.path.value = ""
        self.sources, self.truth = [self._root / name], self._labels[name]
        self._predict()

    def _new_upload(self) -> None:
        # A used button keeps its files, so the same file again would be no change: make a new one.
        old, self.upload = self.upload, upload_button(self.upload_files, replaces=self.upload)
        self._bar.children = [self.upload]
        old.close()

    def _predict(self) -> None:
        """Predict the current images, a few at a time, and show what comes out."""
        self.predictions, self.results.value = [], ""  # those of another model do not stay
        if not self.sources:
            return
        if self.predictor is None and self.run_choice.value != UNTRAINED:
            run = self.runs[int(self.run_choice.value)]
            self.predictor = self._load(lambda: self._make_predictor(run))
        predictor = self.predictor
        if predictor is None:
            return
        found: list[Prediction] = []
        total = len(self.sources)
        try:
            with self._waiting("Predicting") as refresh:
                for start in range(0, total, _AT_ONCE):
                    refresh(start, total)
                    found += predictor.predict(self.sources[start : start + _AT_ONCE])
        except _FAILURES as err:
            _log.warning("prediction failed", exc_info=True)
            self._fail("No prediction", err)
            return
        self.predictions = found
        self._show()

    def _show(self) -> None:
        """Show the predictions: of one image a card, of several a table to download."""
        if not self.predictions:
            return
        overlays: Sequence[Overlay | None] = []
        said = ""
        if self.heat_map.value and self.predictor is not None:
            count = min(len(self.sources), MOST_MAPS)
            if len(self.sources) > count:
                said = box(f"Heat maps are drawn of the first {count} images.")
            try:
                with self._waiting("Drawing heat maps") as refresh:
                    part = self.sources[:count], self.predictions[:count]
                    overlays = heat_maps(self.predictor, *part, progress=refresh)
            except _FAILURES as err:
                _log.warning("no heat map", exc_info=True)
                said = box(f"No heat map: {in_html(err)}")
        self.results.value = said + show_predictions(
            self.predictions,
            self.sources,
            record=self.record,
            about=self.about.value,
            truth=self.truth,
            overlays=overlays,
        )
