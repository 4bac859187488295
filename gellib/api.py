"""The front door: check images, run a sweep, use its best model, from a notebook or a script.

Everything here is thin over the wings; what is returned shows itself in a notebook and in a
terminal.
"""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from gellib.base.paths import find_path, shown_path
from gellib.runs import RunFolder, SweepFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gellib.audit import CheckReport
    from gellib.report.summary import Summary
    from gellib.training_run.predictor import Prediction, Predictor

# An image to predict: a file or folder, an array, a Pillow image, or bytes with or without a name.
ImageSource = str | Path | bytes | tuple[str, bytes] | np.ndarray | Image.Image
_PAGE_HEIGHT_PX = 640


class Check:
    """What `check` found; shown as a page in a notebook and as text in a terminal.

    `verdict` has a sentence for each thing that is wrong, `report` everything that was measured.
    """

    def __init__(self, report: CheckReport) -> None:
        self.report = report

    @property
    def verdict(self) -> list[str]:
        """Sentences of what is wrong; empty where nothing was found."""
        return list(self.report.verdict)

    def __repr__(self) -> str:
        from gellib.audit import report_text

        return report_text(self.report)

    def _repr_html_(self) -> str:
        from gellib.audit import render_page

        # A frame keeps the page's style from the notebook's, and the notebook's from the page's.
        return (
            f'<iframe title="What gellib found" width="100%" height="{_PAGE_HEIGHT_PX}" '
            f'style="border:1px solid #ccc" srcdoc="{html.escape(render_page(self.report))}">'
            "</iframe>"
        )


class _Figures(Mapping[str, "Figure"]):
    """The figures of a summary by name; each is drawn, and kept as a file, when it is asked for."""

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
        """Return what the results say, in sentences (Markdown)."""
        from gellib.report.conclusions import conclusions

        return conclusions(self._summary.comparison)

    def load(self) -> Model:
        """Load the best model."""
        return load(self.folder)

    def _chosen(self) -> str:
        from gellib.report.conclusions import chosen_sentence

        if self.best is None:
            return "No run has finished."
        return chosen_sentence(self._summary.comparison).replace("**", "")

    def _rows(self) -> pd.DataFrame:
        models, score = self._summary.comparison.models, self._summary.comparison.score
        scores = f"val_{score}", score, "roc_auc"
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
        name, chosen = html.escape(shown_path(self.folder)), html.escape(self._chosen())
        return f"<p><b>{name}</b></p>{table}<p>{chosen}</p>"


class Model:
    """A trained model, ready for new images; made by `load`."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    @property
    def name(self) -> str:
        """The folder of the run that trained it."""
        return self._predictor.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that it tells apart."""
        return self._predictor.classes

    def predict(self, images: ImageSource | Sequence[ImageSource]) -> pd.DataFrame:
        """Predict images; one that cannot be read gets its reason, the others go on.

        Parameters
        ----------
        images
            One image or several: files, folders of images, bytes, (name, bytes), Pillow images, or
            arrays (height, width) or (height, width, 3) of uint8 or uint16.

        Returns
        -------
        DataFrame
            One row per image: `file`, `label`, `p_<class>` (calibrated probabilities, 0..1),
            `unlike_training` (whether it looks like nothing that the model was trained on) and
            `error` (why it could not be read; empty where it could).

        Raises
        ------
        TypeError
            For what is no image; nothing is predicted then.
        PredictorError
            For a folder without images.
        """
        sources: list[Any] = []
        alone = isinstance(images, _ONE) or not isinstance(images, Iterable)
        several: Any = images
        given: list[Any] = [images] if alone else list(several)
        for number, image in enumerate(given, start=1):
            sources += _sources_of(image, number)
        return _predictions_table(self._predictor.predict(sources), self.classes)

    def __repr__(self) -> str:
        return f"Model of {self.name}: {', '.join(self.classes)}"


_ONE = (str, Path, bytes, tuple, np.ndarray, Image.Image)


def check(folder: str | Path, *, test_dir: str | Path = "") -> Check:
    """Find what would make results on a folder of images unreliable; nothing is changed.

    Parameters
    ----------
    folder
        The images: one folder per class, or another layout (dataset/README.md).
    test_dir
        A separate folder of test images.

    Raises
    ------
    DatasetError
        When the folder is missing or holds no labelled images.

    Examples
    --------
    >>> from pathlib import Path
    >>> from gellib.labsim.simulate import SYSTEMS
    >>> folder = Path("practice")
    >>> SYSTEMS["gel"](folder, n=8)
    >>> found = gellib.check(folder)
    >>> len(found.report.images)
    16
    """
    from tqdm.auto import tqdm

    from gellib.audit import check_dataset

    def progress(items: Any, total: int) -> Any:
        return tqdm(items, total=total, unit=" images", leave=False)

    return Check(check_dataset(str(folder), test_dir=str(test_dir), progress=progress))


def sweep(
    file: str | Path,
    *,
    out: str | Path | None = None,
    quick: bool = False,
    jobs: int | None = None,
    fresh: bool = False,
    **parameters: Any,
) -> SweepResult:
    """Run what of a sweep is not done yet, then its summary; as `gellib sweep` does.

    Parameters
    ----------
    file
        Sweep file, such as `runs/gel.yaml`.
    out
        Folder of the results. [default: beside the file]
    quick
        A first look: few images, two epochs, a small input.
    jobs
        Runs at once. [default: one per core]
    fresh
        Start over, without the runs that are done.
    **parameters
        Parameters set for all runs, such as `dataset_dir="my_images"`; see docs/parameters.md.

    Raises
    ------
    SweepError
        When the file, a parameter or the images are wrong; nothing was run then.

    Examples
    --------
    >>> from pathlib import Path
    >>> from gellib.labsim.simulate import SYSTEMS
    >>> folder = Path("practice")
    >>> SYSTEMS["gel"](folder, n=8)
    >>> done = gellib.sweep("runs/gel.yaml", quick=True, dataset_dir=str(folder), out="mine",
    ...                     hardware_type="cpu", pretrained_model="resnet18", weights="none",
    ...                     classifier_head="single", opt_alg="adam", max_images=16)
    [...
    making the summary
    >>> done.table["status"].tolist()
    ['done']
    >>> model = gellib.load("mine")
    >>> model.predict(folder / "test" / "gel").columns.tolist()
    ['file', 'label', 'p_gel', 'p_not_gel', 'unlike_training', 'error']
    """
    from gellib.sweeps import load_sweep, run_sweep

    for name in ("dataset_dir", "test_dir"):
        if name in parameters:
            parameters[name] = str(parameters[name])
    loaded = load_sweep(file, overrides=parameters, out=out, quick=quick)
    run_sweep(loaded, jobs=jobs, fresh=fresh)
    return SweepResult(loaded.folder)


def open_sweep(folder: str | Path) -> SweepResult:
    """Open the folder of a sweep that was run, such as `runs/mine`.

    Raises
    ------
    FileNotFoundError
        When there is no record of a run in it.
    """
    result = SweepResult(folder)
    if not SweepFolder(result.folder).records():
        raise FileNotFoundError(
            f"{shown_path(result.folder)} has no record of a run; expected the folder of a sweep"
        )
    return result


def load(folder: str | Path = "runs") -> Model:
    """Load the best model below a folder: of all sweeps, of one sweep, or of one run.

    Raises
    ------
    PredictorError
        When no run below it has finished, or its model is gone.
    """
    from gellib.training_run.predictor import Predictor, find_best_run

    return Model(Predictor(find_best_run(folder)))


def _sources_of(image: Any, number: int) -> list[Any]:
    """Turn one image into what a predictor reads; a folder into its files."""
    if isinstance(image, (str, Path)):
        from gellib.training_run.predictor import expand_files

        return list(expand_files([image]))
    if isinstance(image, np.ndarray):
        return [(f"image {number}", _encode(_from_array(image, number)))]
    if isinstance(image, Image.Image):
        name = Path(getattr(image, "filename", "") or f"image {number}").name
        return [(name, _encode(image))]
    if isinstance(image, bytes):
        return [(f"image {number}", image)]
    if isinstance(image, tuple) and len(image) == 2 and isinstance(image[1], bytes):
        return [(str(image[0]), image[1])]
    raise TypeError(
        f"image {number}: got {type(image).__name__}; expected a file, a folder, an array, a "
        "Pillow image, bytes, or (name, bytes)"
    )


def _from_array(array: np.ndarray, number: int) -> Image.Image:
    grey, colour = array.ndim == 2, array.ndim == 3 and array.shape[2] == 3
    if array.size and ((array.dtype == np.uint8 and (grey or colour)) or _is_deep(array, grey)):
        return Image.fromarray(np.ascontiguousarray(array))
    raise TypeError(
        f"image {number}: got an array of {array.dtype}, shape {array.shape}; expected uint8 "
        "(height, width) or (height, width, 3), or uint16 (height, width). Scale other numbers "
        "to 0..255 first"
    )


def _is_deep(array: np.ndarray, grey: bool) -> bool:
    return array.dtype == np.uint16 and grey


def _encode(image: Image.Image) -> bytes:
    """Write an image without loss, so that it is read as a file of its own would be."""
    buffer = io.BytesIO()
    kept = image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16")
    (image if kept else image.convert("RGB")).save(buffer, "PNG")
    return buffer.getvalue()


def _predictions_table(predictions: Sequence[Prediction], classes: Sequence[str]) -> pd.DataFrame:
    rows = [
        {
            "file": p.file,
            "label": p.label,
            **{f"p_{name}": p.probabilities.get(name, float("nan")) for name in classes},
            "unlike_training": p.ood,
            "error": p.error,
        }
        for p in predictions
    ]
    columns = ["file", "label", *(f"p_{name}" for name in classes), "unlike_training", "error"]
    return pd.DataFrame(rows, columns=columns)
