"""Say what was read otherwise than one may expect, and what was left out of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from gellib.data.image_files import ImageInfo
from gellib.data.imageset import ImageSet
from gellib.data.layouts.folders import is_image, walk_files

# Files that lie beside images and are none: tables, texts, settings, programs.
_COMPANIONS = frozenset(
    ".csv .tsv .xlsx .xls .ods .txt .md .rst .json .jsonl .yaml .yml .toml .ini .cfg .log .html "
    ".parquet .arrow .py .ipynb .r .m .sh .bat .db .lnk .url .license .lock .sha256 .md5".split()
)


def page_sentences(infos: Iterable[ImageInfo], root: Path) -> list[str]:
    """Say how many files hold several pages, and what else is read otherwise than expected."""
    infos = [info for info in infos if not info.reason]
    several = [info for info in infos if info.frames > 1]
    found = []
    if several:
        found.append(
            f"{len(several)} file{' holds' if len(several) == 1 else 's hold'} several pages, the "
            f"first is used, such as {_name(several[0], root)} ({several[0].frames} pages)."
        )
    notes: dict[str, list[ImageInfo]] = {}
    for info in infos:
        if info.note and not info.blank_first_page:
            notes.setdefault(info.note, []).append(info)
    return found + [_note_sentence(same, root) for same in notes.values()]


def blank_page_sentences(infos: Iterable[ImageInfo], root: Path) -> list[str]:
    """Say which files have a blank first page before others: an image of nothing is used."""
    blank = [info for info in infos if not info.reason and info.blank_first_page]
    return [_note_sentence(blank, root)] if blank else []


def _note_sentence(same: list[ImageInfo], root: Path) -> str:
    more = f", and so do {len(same) - 1} more" if len(same) > 1 else ""
    return f"{_name(same[0], root)}: {same[0].note}{more}."


def left_out_files(images: ImageSet) -> dict[str, int]:
    """Count the files below the folder of a set that are not read, by their extension.

    Hidden and system files, tables and texts do not count; images that no table names do not
    either, as they could be read.
    """
    used = set(images.table["path"])
    counts = Counter(
        path.suffix.lower() or "without extension"
        for path in walk_files(images.root)
        if path.suffix.lower() not in _COMPANIONS
        and str(path) not in used
        and not is_image(path)
        and not (path.suffix == "" and path.name.isupper())  # README, LICENSE
    )
    return dict(counts.most_common())


def left_out_sentence(counts: dict[str, int]) -> str:
    """Say how many files are not read; empty if all are."""
    if not counts:
        return ""
    total = sum(counts.values())
    kinds = ", ".join(f"{n} {suffix}" for suffix, n in counts.items())
    return (
        f"{total} file{' is' if total == 1 else 's are'} of a kind that is not read, and left out: "
        f"{kinds}. Export {'it' if total == 1 else 'them'} as TIFF or PNG if "
        f"{'it belongs' if total == 1 else 'they belong'} to the set."
    )


def _name(info: ImageInfo, root: Path) -> str:
    path = Path(info.path)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else info.path
