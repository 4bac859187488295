"""What an export has written, and how far it predicts as its run does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gellib.report.trackers import ExportError

if TYPE_CHECKING:
    from gellib.report.export.onnx_file import Built
    from gellib.training_run.predictor import Predictor

# Largest difference of a probability that is taken for rounding in single precision.
LARGEST_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class Exported:
    """What was written: the file, and how far its probabilities are from `gellib predict`.

    Attributes
    ----------
    file
        The file.
    run
        The run, as `gellib predict` names it.
    difference
        Largest difference of a probability.
    same
        How many of `compared` images get the same labels.
    compared
        Number of images compared.
    own
        Whether these are images of the run, and not generated ones.
    same_sets, same_unlike
        How many of them get the same prediction set, and are alike said to be unlike the training
        images; None where the model does not say it.
    outputs
        Names of the outputs.
    page
        Whether it is a page, whose own reading of pictures was not compared.
    """

    file: Path
    run: str
    difference: float
    same: int
    compared: int
    own: bool
    same_sets: int | None
    same_unlike: int | None
    outputs: tuple[str, ...]
    page: bool = False

    @classmethod
    def measure(
        cls, file: Path, predictor: Predictor, built: Built, *, page: bool = False
    ) -> Exported:
        """Compare a model with its run.

        Parameters
        ----------
        file
            The file that is written.
        predictor
            The run's own predictor.
        built
            The graph, and what it gives.
        page
            Whether the file is a page, and not ONNX.
        """
        from gellib.report.export.verify import compare_export

        found = compare_export(built.whole.SerializeToString(), predictor)
        return cls(file, predictor.name, *found, outputs=tuple(built.view.outputs), page=page)

    def sentence(self) -> str:
        """Say what was compared, and how far it agrees."""
        what = "images of the run" if self.own else "generated images (those of the run are gone)"
        text = (
            f"compared with gellib predict on {self.compared} {what}: largest difference of a "
            f"probability {self.difference:.1e}, the same labels for {self.same}"
        )
        if self.same_sets is not None:
            text += f", the same prediction sets for {self.same_sets}"
        if self.same_unlike is not None:
            text += f", equally like or unlike the training images for {self.same_unlike}"
        if "map" not in self.outputs:
            text += "; this network has no heat map"
        if self.page:
            text += (
                "; the model was compared in ONNX Runtime outside the browser, which may read the "
                "levels of a JPEG differently by one"
            )
        return text


def refuse_if_wrong(found: Exported, precision: str) -> None:
    """Refuse an export that does not predict as the run does.

    Raises
    ------
    ExportError
        When no image could be compared, a probability is not finite, or, in fp32, one differs by
        more than `LARGEST_DIFFERENCE`.
    """
    expected = f"at most {LARGEST_DIFFERENCE:g}" if precision == "fp32" else "a finite number"
    most = LARGEST_DIFFERENCE if precision == "fp32" else math.inf
    if not math.isfinite(found.difference) or found.difference > most:
        raise ExportError(
            f"{found.file} was not written: {found.sentence()}; expected a difference of "
            f"{expected}. Please report it with the name of the network."
        )
