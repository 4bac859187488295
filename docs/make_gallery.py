"""Make the figures of the gallery page from simulated images: `python docs/make_gallery.py`.

A minute or less; nothing is trained. The runs are made up, with the accuracies that they are given,
so the figures show what gellib draws and nothing about any network.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS.parent / "tests")]

WIDTH_PX, COLOURS = 720, 96
SUMMARY = (
    "metrics",
    "accuracy",
    "heatmap",
    "tied_models",
    "effects",
    "accuracy_by_pretrained_model",
    "pareto",
    "training_time_mins",
    "best_confusion_matrix",
    "best_roc_curve",
    "best_loss_accuracy",
    "best_demo_predictions",
)


def main() -> None:
    """Write every figure to docs/gallery."""
    with tempfile.TemporaryDirectory() as folder:
        for name, figure in {**_of_images(Path(folder)), **_of_a_sweep(Path(folder))}.items():
            _save(figure, DOCS / "gallery" / f"{name}.png")


def _of_images(folder: Path) -> dict[str, Figure]:
    from gellib import plots
    from gellib.audit import check_dataset
    from gellib.labsim.simulate import SYSTEMS

    SYSTEMS["brain_mri"](folder / "images", n=60)
    report = check_dataset(folder / "images")
    return {
        "class_counts": plots.class_counts(report.images),
        "sample_grid": plots.sample_grid(report.images),
        "shortcut_bars": plots.shortcut_bars(report.shortcuts),
    }


def _of_a_sweep(folder: Path) -> dict[str, Figure]:
    from making.sweeps import make_sweep

    from gellib.report.summary import Summary

    sweep = make_sweep(folder / "gel", folder / "gels", gpu=True, n_test=60)
    summary = Summary(sweep.path)
    return {name: summary.figure(name) for name in SUMMARY}


def _save(figure: Figure, path: Path) -> None:
    """Write a figure small: `WIDTH_PX` wide, with a palette."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight")
    image = Image.open(buffer).convert("RGB")
    height = round(image.height * WIDTH_PX / image.width)
    small = image.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
    path.parent.mkdir(exist_ok=True)
    small.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
