"""The form as a visitor of `gellib app` sees it: no paths, and limits for what is uploaded."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from gellib.data.image_files import ImageLimits
from gellib.report.widgets import PredictWidget
from gellib.report.widgets.controls import what_is_read
from gellib.report.widgets.form import load_untrained
from gellib.report.widgets.messages import box
from gellib.runs import RunFolder
from gellib.training_run.find_runs import no_runs
from gellib.training_run.predictor import Predictor

if TYPE_CHECKING:
    from gellib.labsim.zeroshot import ZeroShot

# How the server tells its kernels what to show.
VARIABLE = "GELLIB_APP"
# What the log of the server says of each kernel.
READY = "a page is ready for a visitor"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AppLimits:
    """What a visitor may upload: megabytes at once, and megapixels of an image."""

    max_mb: float = 50
    max_mpx: float = 50

    @property
    def max_bytes(self) -> int:
        """Bytes at once."""
        return int(self.max_mb * 1e6)

    def within(self, own: ImageLimits) -> ImageLimits:
        """Return the limits of a run, or these where they are lower."""
        pixels = min(own.max_pixels, int(self.max_mpx * 1e6))
        return ImageLimits(min(own.max_bytes, self.max_bytes), pixels)


class VisitorForm(PredictWidget):
    """The form without the field for paths; errors that may name a path are in the log alone."""

    def __init__(self, runs_dir: str | Path, limits: AppLimits = AppLimits()) -> None:
        self.limits = limits
        super().__init__(
            runs_dir, make_predictor=self._limited, make_untrained=self._limited_untrained
        )
        # Closed, not only hidden: a visitor could set the value of a field that is hidden.
        self.path.unobserve_all()
        rows = [row for row in self.view.children if row is not self.path]
        self.path.close()
        self.path = widgets.Text()
        self.path.close()
        self.view.children = rows
        self.read.value = what_is_read(in_jupyter=False).value

    def warm_up(self) -> None:
        """Load the first model, so that the first visitor's image need not wait for it."""
        if self.runs:  # without any, the untrained one was loaded when it was chosen
            self.predictor = self._load(lambda: self._make_predictor(self.runs[0]))
        if self.predictor is not None:
            self.predictor.predict([("warm-up.png", _BLANK)])

    def _limited(self, run: RunFolder) -> Predictor:
        predictor = Predictor(run)
        predictor.limits = self.limits.within(predictor.limits)
        return predictor

    def _limited_untrained(self) -> ZeroShot:
        untrained = load_untrained()
        untrained.limits = self.limits.within(untrained.limits)
        return untrained

    def upload_files(self, value: Any) -> None:
        """Predict the images that a `FileUpload` holds, if they are not too many bytes."""
        size = sum(len(one["content"]) for one in value)
        if size > self.limits.max_bytes:
            self._new_upload()
            self.sources, self.predictions = [], []
            limit = f"the limit is {self.limits.max_mb:g} MB at once"
            self.results.value = box(f"{size / 1e6:.1f} MB were uploaded; {limit}.")
            return
        super().upload_files(value)

    def _show(self) -> None:
        # An image that was refused is not decoded for its picture either.
        kept = self.sources
        if len(kept) == len(self.predictions):
            pairs = zip(kept, self.predictions, strict=True)
            self.sources = [("", b"") if one.error else source for source, one in pairs]
        try:
            super()._show()
        finally:
            self.sources = kept

    def _no_model(self, runs_dir: str | Path) -> str:
        _log.error(no_runs(runs_dir))
        return "No trained model is here at the moment: load this page again later."

    def _fail(self, what: str, why: object) -> None:
        _log.error("%s: %s", what, why)
        super()._fail(what, "the log of the server says why")


def show_form() -> widgets.Widget:
    """Make the form of a visitor from what the server said, with its model loaded."""
    # Of the server: what goes to `sys.stderr` would be sent to the page.
    log = logging.StreamHandler(sys.__stderr__)
    log.setFormatter(logging.Formatter("[gellib app] %(message)s"))
    logging.getLogger("gellib").addHandler(log)
    _log.setLevel(logging.INFO)
    # A kernel that is a fork imported this where no kernel was.
    widgets.register_comm_target()
    given = json.loads(os.environ[VARIABLE])
    form = VisitorForm(given["runs"], AppLimits(**given["limits"]))
    form.warm_up()
    _log.info(READY)
    return form.show()


def as_variable(runs: Path, limits: AppLimits) -> str:
    """Write what kernels are told, as the value of `VARIABLE`."""
    return json.dumps({"runs": str(runs), "limits": asdict(limits)})


def _blank() -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (64, 64), 128).save(buffer, "PNG")
    return buffer.getvalue()


_BLANK = _blank()
