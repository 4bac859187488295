"""Layouts 1 and 2: one folder per class, within one folder per split or not."""

from __future__ import annotations

import os
import re
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gellib.base.text import quote_some
from gellib.data.image_files import HEAD_BYTES, open_file, sniff_type
from gellib.data.imageset import DatasetError, ImageSet, make_imageset, sort_classes
from gellib.evaluation.task import SINGLE_LABEL

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
# A file of one of these extensions was meant to be an image: it is listed, and reported if it
# cannot be read. Any other file is listed if its first bytes say that it is an image.
IMAGE_EXTENSIONS = frozenset(
    ".png .jpg .jpeg .jpe .jfif .tif .tiff .bmp .dib .gif .webp "
    ".heic .heif .avif .jp2 .ppm .pgm .pnm".split()
)
_TABLES = (".csv", ".tsv", ".txt", ".xls", ".xlsx", ".xlsm", ".xlsb", ".ods", ".numbers")
# What systems and network drives put beside the files of their users; Thumbs holds thumbnails.
_SYSTEM = re.compile(
    r"__MACOSX|__pycache__|@.*|#recycle|[#~]snapshot|\$RECYCLE\.BIN|RECYCLER|Recycled|lost\+found"
    r"|desktop\.ini|Icon\r|FOUND\.\d{3}|Network Trash Folder|Temporary Items|_gsdata_"
    r"|System Volume Information|Thumb(s|nails?)([._ -]?(db|\d+(x\d+)?))?(\..*|:.*)?",
    re.IGNORECASE,
)


def find_images(folder: Path, within: Path | None = None) -> list[Path]:
    """List the images below a folder, in any order; hidden and system folders are skipped.

    Links to folders are followed, but not to those that hold `folder`, nor to others of the data
    set `within`: their images would be listed a second time, in a class that is not theirs.
    """
    return [path for path in walk_files(folder, within) if is_image(path)]


def walk_files(folder: Path, within: Path | None = None) -> Iterator[Path]:
    """List the files below a folder as `find_images` does, images or not."""
    start, seen = os.path.realpath(folder), set()
    root = os.path.realpath(within or folder)
    for here, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(
            name
            for name in folders
            if is_visible(name) and not _leads_back(os.path.join(here, name), start, root)
        )
        if os.path.realpath(here) in seen:  # a link to a folder above would be an endless loop
            folders.clear()
            continue
        seen.add(os.path.realpath(here))
        yield from (Path(here, name) for name in files if is_visible(name))


def _leads_back(path: str, start: str, root: str) -> bool:
    if not os.path.islink(path):
        return False
    target = os.path.realpath(path)
    if _holds(target, start):
        return True
    inside = os.path.relpath(target, root).split(os.sep) if _holds(root, target) else [".hidden"]
    return not any(part.startswith(".") for part in inside)


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def is_image(path: Path) -> bool:
    """Whether a file was meant to be an image, by its extension or its first bytes."""
    if not is_visible(path.name) or path.name.casefold() == "dicomdir":
        return False
    if path.suffix.lower() in IMAGE_EXTENSIONS:
        return True
    try:
        with open_file(path) as stream:
            return bool(sniff_type(stream.read(HEAD_BYTES)))
    except (OSError, ValueError):
        return False


def load_folders(root: Path, *, leave_out: Path | None = None, least: int = 2) -> ImageSet:
    """Read layout 1, `<class>/*`, or 2, `{train,val,test}/<class>/*`, whichever is found.

    A folder `train` without folders of images in it is a class of that name. Folders below a class
    folder belong to the class. `leave_out` is a folder to skip; `least` is the number of classes
    that there have to be.

    Raises
    ------
    DatasetError
        If there are fewer classes than `least`, if a class is empty, or if splits have different
        classes.
    """
    folders = [path for path in _folders(root) if leave_out is None or not _same(path, leave_out)]
    splits = [path for path in folders if _split_name(path) and _has_class_folders(path)]
    if not splits:
        return _finish(root, _class_rows(root, root, folders, ""), least)
    others = [path.name for path in folders if path not in splits and find_images(path)]
    if others:
        raise DatasetError(
            f"{root}: got the splits {quote_some(path.name for path in splits)}, but also images "
            f"in {quote_some(others)}. Expected all images below train, val or test. "
            "Move the other folders elsewhere."
        )
    rows: list[Any] = []
    seen: dict[str, Any] = {}
    for path in splits:
        split = _split_name(path)
        if split in seen:
            raise DatasetError(
                f"{root}: got {seen[split].name!r} and {path.name!r}, which both mean {split}. "
                "Expected one folder per split. Merge them, or move one elsewhere."
            )
        seen[split] = path
        rows += _class_rows(root, path, _folders(path), split)
    classes = {split: {row["class"] for row in rows if row["split"] == split} for split in seen}
    first, *rest = sorted(classes, key=list(SPLIT_NAMES.values()).index)
    for split in rest:
        check_same_classes(classes[first], classes[split], seen[first], seen[split])
    return _finish(root, rows, least)


def check_same_classes(first: set[str], second: set[str], here: Path, there: Path) -> None:
    """Raise a `DatasetError` unless two folders of a data set have the same class names.

    Parameters
    ----------
    first, second
        Class names of the two folders.
    here, there
        The folders, named in the message.

    Raises
    ------
    DatasetError
        If the names differ.
    """
    if first == second:
        return
    raise DatasetError(
        f"the classes differ: got {quote_some(sort_classes(first))} in {here}, but "
        f"{quote_some(sort_classes(second))} in {there}. Expected exactly the same names in "
        "both. Rename, add or remove class folders."
    )


def _finish(root: Path, rows: list[dict], least: int) -> ImageSet:
    classes = sort_classes(row["class"] for row in rows)
    if len(classes) < least:
        inner = [path for path in _folders(root) if _has_class_folders(path)]
        hint = f" Or did you mean {inner[0]}?" if len(inner) == 1 else ""
        raise DatasetError(
            f"{root}: got {f'one class, {classes[0]!r}' if classes else 'no images in folders'}. "
            f"Expected {'two classes' if least > 1 else 'one class'} or more, one folder per class "
            "(<class>/* or "
            "{train,val,test}/<class>/*), or a labels.csv. Add class folders with images."
            f"{hint}"
        )
    for row in rows:
        row["label"] = classes.index(row["class"])
    return make_imageset(root, rows, classes, SINGLE_LABEL)


def _class_rows(root: Path, folder: Path, class_folders: list[Path], split: str) -> list[dict]:
    rows, empty = [], []
    names = {path.name for path in class_folders}
    for path in class_folders:
        images = find_images(path, within=root)
        inner = {image.relative_to(path).parts[0] for image in images}
        if len(inner & names) > 1 and inner <= names:
            raise DatasetError(
                f"{folder}: got a folder {path.name!r} that holds {quote_some(sorted(inner))} "
                "again. Expected one folder per class. It looks like a copy of the data set: move "
                "it elsewhere, or name it as the folder of the images."
            )
        if not images:
            empty.append(path.name)
        name = unicodedata.normalize("NFC", path.name)
        for image in images:
            file = image.relative_to(root).as_posix()
            rows.append({"file": file, "path": str(image), "class": name, "split": split})
    if empty and rows:
        raise DatasetError(
            f"{folder}: got no images in {quote_some(empty)}. Expected images in every class "
            "folder. Put images there, or remove the folder."
        )
    loose = [path.name for path in _entries(folder) if not path.is_dir() and is_image(path)]
    if loose and rows:
        warnings.warn(
            f"{folder}: {len(loose)} images are in no class folder and are not used, such as "
            f"{quote_some(sorted(loose), 1)}",
            stacklevel=5,
        )
    elif loose:
        raise DatasetError(
            f"{folder}: got {len(loose)} images directly in this folder. Expected one folder per "
            f"class, or a labels.csv beside them. Sort the images into class folders"
            f"{_tables_hint(folder)}."
        )
    return rows


def _tables_hint(folder: Path) -> str:
    """Name the tables in a folder that are not read for their names."""
    names = [path.name for path in _entries(folder) if path.suffix.casefold() in _TABLES]
    tables = [name for name in names if not name.startswith("~$")]  # Excel has another one open
    if not tables:
        return ""
    return f", or save the table of the labels as labels.csv (there is {quote_some(tables, 3)})"


def _entries(folder: Path) -> list[Path]:
    return [folder / name for name in sorted(os.listdir(folder)) if is_visible(name)]


def _folders(folder: Path) -> list[Path]:
    """List the folders in a folder, without links to others of them: these are no classes."""
    found = [path for path in _entries(folder) if path.is_dir()]
    links = {path for path in found if path.is_symlink()}
    own = {path.resolve() for path in found if path not in links} if links else set()
    return [path for path in found if path not in links or path.resolve() not in own]


def is_visible(name: str) -> bool:
    """Whether a file or folder is the user's own: not hidden, and not of a system."""
    return not name.startswith(".") and not _SYSTEM.fullmatch(name)


def _split_name(path: Path) -> str:
    return SPLIT_NAMES.get(path.name.casefold(), "")


def _has_class_folders(path: Path) -> bool:
    return any(find_images(inner) for inner in _folders(path))


def _same(path: Path, other: Path) -> bool:
    return path.resolve() == other.resolve()
