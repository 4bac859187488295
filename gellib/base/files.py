"""Files and folders written whole or not at all: to a temporary name first, then renamed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gellib.base.spreadsheet import to_cell

if TYPE_CHECKING:
    import pandas as pd


# What a place, not a program, refuses: full, read-only, without permission, broken.
_REFUSED = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG,
    errno.ENAMETOOLONG,
}  # fmt: skip
_FULL = {errno.ENOSPC, errno.EDQUOT}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}
# `.stem.<pid>-<8 hex digits>.suffix` of `atomic_path`, and `.name.<pid>.ipynb` of a notebook.
_TEMPORARY = re.compile(r"\..+\.(\d+)(-[0-9a-f]{8}(\.[^.]*)?|\.ipynb)")


class CannotWriteError(OSError):
    """A file or folder cannot be written; one sentence names it, says why and what to do.

    `another` says how another place is named.
    """

    def __init__(self, path: Path, cause: OSError, another: str = "name another place") -> None:
        super().__init__(cause.errno, cause.strerror, str(path))
        self.path, self.why, self.another = path, cause.strerror or str(cause), another

    def __str__(self) -> str:
        text = f"{self.path} cannot be written: {self.why}"
        if self.errno in _FULL:
            return f"{text}; make room there, or {self.another}"
        if self.errno in _CLOSED:
            return f"{text}; get the right to write there, or {self.another}"
        return text


@contextlib.contextmanager
def refused_in_words(path: Path) -> Iterator[None]:
    """Turn what a place refuses while `path` is written into a `CannotWriteError` that names it."""
    try:
        yield
    except OSError as err:
        if err.errno not in _REFUSED or isinstance(err, CannotWriteError):
            raise
        raise CannotWriteError(path, err) from err


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` when the block ends well.

    Raises
    ------
    CannotWriteError
        When the disk is full or read-only, or may not be written to.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        with refused_in_words(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def delete_leftovers(folder: Path) -> list[Path]:
    """Delete the temporary files in a folder whose process has ended, and return them.

    Only for a folder that no other machine writes to: processes are looked for on this one.
    """
    gone = []
    for path in sorted(folder.glob(".*")):
        if is_temporary(path) and path.is_file() and not is_being_written(path):
            with contextlib.suppress(OSError):
                path.unlink()
                gone.append(path)
    return gone


def is_temporary(path: Path) -> bool:
    """Whether a file has a temporary name of a process of gellib."""
    return _TEMPORARY.fullmatch(path.name) is not None


def is_being_written(path: Path) -> bool:
    """Whether a file has a temporary name of a process that runs."""
    found = _TEMPORARY.fullmatch(path.name)
    return found is not None and is_alive(int(found[1]))


def is_alive(pid: int) -> bool:
    """Whether a process of this machine runs; on Windows always."""
    if os.name == "nt":
        # There, signal 0 ends a process.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        # It is there, but another user's; or no number of a process.
        return True
    return True


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a new folder beside `path`; rename it to `path` when the block ends well.

    Raises
    ------
    CannotWriteError
        When the disk is full or read-only, or may not be written to.
    OSError
        When something else is at `path` by then; an empty folder is replaced.
    """
    with refused_in_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            yield folder
            folder.chmod(0o755)
            if path.exists():
                path.rmdir()
            os.replace(folder, path)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def write_text(path: Path, text: str, newline: str | None = None) -> None:
    """Write a text file whole or not at all; `newline` as in `open`."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline=newline)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all; NaN and infinity are refused, they are not JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table whole or not at all; numbers keep every digit.

    Texts that a spreadsheet would run as formulas get an apostrophe in front: see `to_cell`.
    """
    with atomic_path(path) as temporary:
        _for_spreadsheets(table).to_csv(temporary, index=False)


def csv_text(table: pd.DataFrame) -> str:
    """Write a table as `write_csv` does, as a text."""
    return _for_spreadsheets(table).to_csv(index=False)


def _for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    numbers = "biuf"
    cells = table.apply(lambda own: own if own.dtype.kind in numbers else own.map(csv_cell))
    return cells.set_axis([csv_cell(name) for name in table.columns], axis="columns")


def csv_cell(value: Any) -> Any:
    """Write a value for a CSV file: texts so that a spreadsheet shows them and runs none."""
    if not isinstance(value, str):
        return value
    # A carriage return alone is not quoted, and would begin a row.
    return to_cell(value).replace("\r\n", "\n").replace("\r", "\n")
