"""Predictions kept on disk while they are made, so that a command that was stopped goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gellib.base.files import CannotWriteError
from gellib.labsim.zeroshot import ZeroShotPrediction
from gellib.training_run.prediction import Prediction

_FORMAT = 1
# How a first line begins, complete or not.
_BEGINNING = b'{"format": '


class OutputError(ValueError):
    """Predictions cannot be written where they should be; the message says why."""

    exit_status = 2


class BegunPredictions:
    """The predictions that one model made so far, a line of JSON each, found again by their file.

    They stay on disk: memory holds where each line begins. The first line says which model made
    them; those of another model are not gone on with. A last line that a killed command left
    incomplete is dropped, and a file that changed since, or that could not be read, is predicted
    again.

    Parameters
    ----------
    path
        The file.
    model
        What identifies the model.

    Raises
    ------
    CannotWriteError
        When the file cannot be written.
    OutputError
        When it is something else, or another command writes it.
    """

    def __init__(self, path: Path, model: Mapping[str, str]) -> None:
        self.path = path
        self._places: dict[str, int] = {}
        self._first = {"format": _FORMAT, **model}
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as err:
            raise OutputError(
                f"another command writes {path}; wait until it has ended, or name another output"
            ) from err
        except OSError as err:
            raise CannotWriteError(path, err) from err
        try:
            self._open()
        except BaseException:
            self._unlock()
            raise

    def _open(self) -> None:
        path = self.path
        try:
            # Opened for reading and writing, made where it is not there, and never cut.
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            self._stream = os.fdopen(handle, "r+b")
            if not _is_ours(self._stream.readline()):
                self._stream.close()
                raise OutputError(
                    f"{path} is there and has no predictions of gellib, which would be kept in it; "
                    "move it, or name another output"
                )
            self._stream.seek(0)
            self._end = self._read()
            self._stream.truncate(self._end)
            if not self._end:
                self._write([self._first])
        except OSError as err:
            raise CannotWriteError(path, err) from err

    def _read(self) -> int:
        """Find the lines of unchanged files; return where the last complete line ends."""
        end = 0
        for line in self._stream:
            try:
                found: Any = json.loads(line) if line.endswith(b"\n") else None
                if end == 0 and found != self._first:
                    return 0
                if end and found["state"] == _state(found["file"]):
                    self._places[found["file"]] = end
            except (ValueError, KeyError, TypeError):
                break
            end += len(line)
        return end

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, file: object) -> bool:
        return str(file) in self._places

    def __getitem__(self, file: object) -> Prediction:
        self._stream.seek(self._places[str(file)])
        found = json.loads(self._stream.readline())
        found.pop("state")
        if found["members"] is not None:
            found["members"] = tuple(found["members"])
        return (ZeroShotPrediction if "nearest" in found else Prediction)(**found)

    def add(self, predictions: Iterable[Prediction]) -> None:
        """Keep some more predictions.

        Raises
        ------
        CannotWriteError
            When the disk is full.
        """
        lines = [
            asdict(one) | {"state": None if one.error else _state(one.file)} for one in predictions
        ]
        try:
            places = self._write(lines)
        except OSError as err:
            raise CannotWriteError(self.path, err) from err
        self._places.update((str(line["file"]), at) for line, at in zip(lines, places, strict=True))

    def _write(self, lines: Iterable[Mapping[str, Any]]) -> list[int]:
        self._stream.seek(self._end)
        places = []
        for line in lines:
            places.append(self._end)
            text = json.dumps(line).encode("ascii") + b"\n"
            self._stream.write(text)
            self._end += len(text)
        self._stream.flush()
        return places

    def close(self) -> None:
        """Close the file, which stays for the next command."""
        self._stream.close()
        self._unlock()

    def delete(self) -> None:
        """Delete the file, as its predictions are written elsewhere."""
        self._stream.close()
        self.path.unlink(missing_ok=True)
        self._unlock()

    def _unlock(self) -> None:
        # Windows deletes the file of a lock itself, and not before it is released.
        if os.name != "nt":
            Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()


def _is_ours(line: bytes) -> bool:
    """Whether a first line is one of ours, or is what a killed command wrote of it."""
    if not line.endswith(b"\n"):
        return line.startswith(_BEGINNING) or _BEGINNING.startswith(line)
    try:
        found: Any = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and {"format", "run"} <= set(found)


def _state(file: str) -> list[int] | None:
    """Return size and time of a file, by which it is known to be the same; None where it is not."""
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return None
    return [found.st_size, found.st_mtime_ns]
