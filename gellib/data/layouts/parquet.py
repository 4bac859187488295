"""Layout 4: Parquet with image bytes and labels in columns, as Hugging Face stores data sets."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from filelock import FileLock

from gellib.base.files import CannotWriteError, atomic_folder, refused_in_words
from gellib.base.text import quote_some
from gellib.data.image_files import HEAD_BYTES, file_digest, sniff_type
from gellib.data.imageset import DatasetError, ImageSet, make_imageset
from gellib.data.layouts.columns import COLUMN_ALIASES
from gellib.data.layouts.folders import SPLIT_NAMES
from gellib.evaluation.task import task_of_labels

IMAGE_COLUMNS = ("image", "img", "images", "picture")
_EXPECTED = (
    "Expected a column `image` with the bytes of an image file, and a column `label`, as the "
    "datasets of Hugging Face have them."
)


def find_parquet(root: Path) -> list[Path]:
    """List the Parquet files of a data set: in its folder, or in `data/` or `default/` below."""
    places = (root, root / "data", root / "default")
    found = (sorted(place.glob("*.parquet")) for place in places if place.is_dir())
    return next((files for files in found if files), [])


def load_parquet(root: Path, files: list[Path]) -> ImageSet:
    """Read Parquet files; their images are written below `root/.images-<digest>` once.

    A file whose name begins with train, test, val or validation is that split. Class names come
    from the features that Hugging Face stores in the file, else from the values of the column.

    Raises
    ------
    DatasetError
        If pyarrow or a column is missing, or a cell holds no image.
    """
    digest = hashlib.sha256("".join(map(file_digest, files)).encode()).hexdigest()
    columns = [_read_labels(path) for path in files]
    names: list[str] = next((own["names"] for own in columns if own["names"]), [])
    cells = [label for own in columns for label in own["labels"]]
    task = task_of_labels(any(isinstance(label, list) for label in cells))
    values = {v for cell in cells for v in (cell if isinstance(cell, list) else [cell])}
    if None in values:
        raise DatasetError(f"{root}: got rows without a label. {_EXPECTED} Remove these rows.")
    ordered = sorted(values, key=lambda value: (isinstance(value, str), value))
    wrong = [value for value in ordered if names and value not in range(len(names))]
    if wrong:
        raise DatasetError(
            f"{root}: got the labels {quote_some(wrong)}. Expected numbers below {len(names)}, "
            "for as many named classes; -1 stands for no label. Remove these rows."
        )
    # Names without images are not classes of this set.
    classes = tuple(names[value] if names else str(value) for value in ordered)
    number = {value: place for place, value in enumerate(ordered)}
    if len(classes) < 2:
        raise DatasetError(f"{root}: got one class, {quote_some(classes)}. Expected two or more.")
    folder = _unpacked(root, files, digest)
    rows = []
    for path, own in zip(files, columns, strict=True):
        images = sorted((folder / path.stem).iterdir())
        for image, label, group in zip(images, own["labels"], own["groups"], strict=True):
            labels = label if isinstance(label, list) else [label]
            numbers = tuple(sorted({number[value] for value in labels}))
            rows.append(
                {
                    "file": image.relative_to(root).as_posix(),
                    "path": str(image),
                    "label": task.pack(numbers),
                    "split": _split(path),
                    "group": group,
                }
            )
    return make_imageset(root, rows, classes, task, digest)


def _open(path: Path) -> Any:
    try:
        import pyarrow.parquet as pq
    except ModuleNotFoundError as err:
        raise DatasetError(
            f"{path}: reading Parquet needs pyarrow. Expected it to be installed. "
            "Run: pip install 'gellib[parquet]'"
        ) from err
    try:
        return pq.ParquetFile(path)
    except (OSError, ValueError) as err:  # pyarrow's errors are among them
        raise DatasetError(f"{path} cannot be read as Parquet: {err}. {_EXPECTED}") from err


def _read_labels(path: Path) -> dict[str, Any]:
    with _open(path) as file:
        columns = file.schema_arrow.names
        label = _column(columns, COLUMN_ALIASES["label"], path, "label")
        group = next((name for name in columns if name.casefold() in COLUMN_ALIASES["group"]), None)
        table = file.read([label, *([group] if group else [])])
        groups = table.column(group).to_pylist() if group else [""] * len(table)
        return {
            "labels": table.column(label).to_pylist(),
            "groups": ["" if value is None else str(value) for value in groups],
            "names": _class_names(file.schema_arrow.metadata or {}, label),
        }


def _unpack(path: Path, folder: Path) -> None:
    with _open(path) as file:
        image = _column(file.schema_arrow.names, IMAGE_COLUMNS, path, "image")
        index = 0
        for batch in file.iter_batches(256, columns=[image]):
            for cell in batch.column(image).to_pylist():
                data = cell.get("bytes") if isinstance(cell, dict) else cell
                kind = sniff_type(data[:HEAD_BYTES]).casefold() if isinstance(data, bytes) else ""
                if not kind:
                    raise DatasetError(
                        f"{path}: row {index + 1} of the column {image!r} holds no image. "
                        f"{_EXPECTED} Store the bytes of the files, not their paths."
                    )
                suffix = "jpg" if kind == "jpeg" else kind
                (folder / f"{index:07d}.{suffix}").write_bytes(data or b"")
                index += 1


def _column(columns: list[str], names: tuple[str, ...], path: Path, what: str) -> str:
    found = [name for name in columns if name.casefold() in names]
    if not found:
        raise DatasetError(
            f"{path}: got the columns {quote_some(columns, 20)}, without {what!r}. {_EXPECTED}"
        )
    return found[0]


def _class_names(metadata: dict[bytes, bytes], label: str) -> list[str]:
    """Get the names of a ClassLabel column, which Hugging Face keeps beside the schema."""
    try:
        about = json.loads(metadata[b"huggingface"])["info"]["features"][label]
        about = about.get("feature", about)  # a list of labels has its own inside
        return [str(name) for name in about["names"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        return []


def _split(path: Path) -> str:
    return SPLIT_NAMES.get(path.name.casefold().replace(".", "-").split("-")[0], "")


def _unpacked(root: Path, files: list[Path], digest: str) -> Path:
    """Write all images as files, once: everything else in gellib reads files."""
    folder = root / f".images-{digest[:12]}"
    if folder.is_dir():
        return folder
    try:
        with refused_in_words(folder), FileLock(root / ".images.lock"):
            if folder.is_dir():  # another process was first
                return folder
            with atomic_folder(folder) as temporary:
                for path in files:
                    (temporary / path.stem).mkdir()
                    _unpack(path, temporary / path.stem)
    except CannotWriteError as err:
        raise DatasetError(
            f"{root}: got a folder that cannot be written to ({err.why}). Expected a writable "
            "folder with room: the images of its Parquet files are unpacked once. Copy it to a "
            "folder of your own."
        ) from err
    return folder
