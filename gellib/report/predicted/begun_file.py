"""Predictions kept on disk while they are made, so that a command that was stopped goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gellib.base.files import CannotWriteError
from gellib.labsim.zeroshot import ZeroShotPrediction
from gellib.training_run.prediction import Prediction

FORMAT = 1


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
    """

    def __init__(self, path: Path, model: Mapping[str, str]) -> None:
        self.path = path
        self._places: dict[str, int] = {}
        self._first = {"format": FORMAT, **model}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Opened for reading and writing, made where it is not there, and never cut.
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            self._stream = os.fdopen(handle, "r+b")
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

    def delete(self) -> None:
        """Delete the file, as its predictions are written elsewhere."""
        self.close()
        self.path.unlink(missing_ok=True)


def _state(file: str) -> list[int] | None:
    """Return size and time of a file, by which it is known to be the same; None where it is not."""
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return None
    return [found.st_size, found.st_mtime_ns]
