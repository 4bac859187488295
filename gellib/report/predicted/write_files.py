"""Predict files into a table, a page, or folders by class: `predict_to_files`."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gellib.base.files import atomic_path, csv_cell
from gellib.labsim.zeroshot import ZeroShot
from gellib.models.features.image_bars import Bar
from gellib.report.predicted.begun_file import BegunPredictions
from gellib.report.predicted.class_folders import ClassFolders, folder_names
from gellib.report.predicted.outputs import Outputs
from gellib.report.predicted.predictions_page import MOST_SHOWN, write_predictions_page
from gellib.report.predicted.tally import Tally
from gellib.training_run.prediction import Prediction
from gellib.training_run.predictor import Predictor

# As many as the predictor computes at once.
_AT_ONCE = 64

# Opens a bar of `total`, `initial` and `desc`.
OpenBar = Callable[..., AbstractContextManager[Bar]]


@dataclass(frozen=True)
class Written:
    """What was predicted and written: counts, a sentence per output, and copies that failed."""

    tally: Tally
    sentences: tuple[str, ...]
    failed: int = 0


def predict_to_files(
    predictor: Predictor | ZeroShot, files: Sequence[str | Path], outputs: Outputs, *, bar: OpenBar
) -> Written:
    """Predict any number of files; memory does not grow with the images.

    Predictions are kept on disk as they are made. If the command is stopped, the same command goes
    on from there. The outputs are written when all predictions are there.

    Parameters
    ----------
    predictor
        The model.
    files
        The image files; one that cannot be read has a row with the reason.
    outputs
        Where to write to.
    bar
        Opens a bar of `total`, `initial` and `desc`.

    Raises
    ------
    CannotWriteError
        When the disk is full or read-only.
    """
    begun = BegunPredictions(outputs.begun, _identify(predictor))
    try:
        _predict(predictor, files, begun, bar)
        written = _write(predictor, files, begun, outputs, bar)
    except BaseException:
        begun.close()
        raise
    begun.delete()
    return written


def _identify(predictor: Predictor | ZeroShot) -> dict[str, str]:
    if isinstance(predictor, ZeroShot):
        return {"run": predictor.name}
    # The record of a run is written anew, with other times, when it is trained again.
    digest = hashlib.sha256(predictor.run.record.read_bytes()).hexdigest()
    return {"run": predictor.name, "record": digest}


def _predict(
    predictor: Predictor | ZeroShot,
    files: Sequence[str | Path],
    begun: BegunPredictions,
    bar: OpenBar,
) -> None:
    missing = [file for file in files if file not in begun]
    done = len(files) - len(missing)
    with bar(total=len(files), initial=done, desc="predicting") as shown:
        for start in range(0, len(missing), _AT_ONCE):
            some = missing[start : start + _AT_ONCE]
            begun.add(predictor.predict(some))
            shown.update(len(some))


def _write(
    predictor: Predictor | ZeroShot,
    files: Sequence[str | Path],
    begun: BegunPredictions,
    outputs: Outputs,
    bar: OpenBar,
) -> Written:
    classes = predictor.labels if isinstance(predictor, ZeroShot) else predictor.classes
    tally, order = Tally(), []
    for number, file in enumerate(files):
        one = begun[file]
        tally.add(one)
        if not one.error:
            order.append((one.decided, -one.uncertainty, number))
    sentences, failed = [], 0
    if outputs.table:
        _write_table(outputs.table, (begun[file] for file in files), classes, predictor.name)
        sentences.append(f"wrote {outputs.table}")
    if outputs.page:
        shown = [begun[files[number]] for *_, number in sorted(order)[:MOST_SHOWN]]
        with bar(total=len(shown), desc="pictures") as own:
            write_predictions_page(
                outputs.page, shown, tally, run=predictor.name, classes=classes,
                limits=predictor.limits, progress=lambda items: _counted(items, own),
            )  # fmt: skip
        rest = f", the {len(shown):,} most uncertain images" if len(shown) < len(order) else ""
        sentences.append(f"wrote {outputs.page}{rest}")
    if outputs.folder:
        folders = ClassFolders(outputs.folder, folder_names(classes))
        chosen = list(dict.fromkeys(files[number] for *_, number in order))
        with bar(total=len(chosen), desc="copying") as own:
            for file in _counted(chosen, own):
                folders.copy(Path(file), begun[file].labels)
        sentences += _copied(folders)
        failed = len(folders.failed)
    return Written(tally, tuple(sentences), failed)


def _counted(items: Iterable[Any], bar: Bar) -> Iterator[Any]:
    for item in items:
        yield item
        bar.update(1)


def _copied(folders: ClassFolders) -> list[str]:
    there = f"; {folders.there:,} were there already" if folders.there else ""
    said = [f"copied {folders.copied:,} images into folders in {folders.folder}{there}"]
    said += [f"{file} cannot be copied: {why}" for file, why in folders.failed[:5]]
    if len(folders.failed) > 5:
        said.append(f"{len(folders.failed) - 5:,} more files cannot be copied")
    renamed = [
        f"the folder of {label!r} is {name!r}"
        for label, name in folders.names.items()
        if label in folders.made and label not in ("", name)
    ]
    return said + renamed


def _write_table(
    path: Path, predictions: Iterable[Prediction], classes: Sequence[str], run: str
) -> None:
    columns = [*Prediction("").to_row(classes), "uncertainty", "run"]
    with atomic_path(path) as partial:
        # A name that is no text, as a file system may have it, is written by the numbers of it.
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([csv_cell(name) for name in columns])
            for one in predictions:
                row = [*one.to_row(classes).values(), one.uncertainty, run]
                writer.writerow(["" if value != value else csv_cell(value) for value in row])
