"""The check of a sweep's images, once per image folder, for its summary."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from gellib.base.files import write_json
from gellib.runs import SweepFolder
from gellib.sweeps.server_start import python_path

# Longest wait when the runs are done. A sample of 300 images takes seconds; on a network folder a
# minute.
_LIMIT_S = 300.0
# The runs come first: one thread, and none that spins while it waits.
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}
_PROGRAM = "from gellib.sweeps.data_check import serve; serve()"


class FolderChecks:
    """Checks of a sweep's image folders, in a process of their own beside the first imports.

    One core is idle while torch is loaded, and a check needs no torch. Image folders that
    `check.json` knows are kept. A check that fails is named and left out: the runs do not depend
    on it.

    Parameters
    ----------
    folder
        Where the sweep's results go.
    fingerprints
        Of the images, by `dataset_dir` and `test_dir`.
    """

    def __init__(self, folder: SweepFolder, fingerprints: Mapping[tuple[str, str], str]) -> None:
        self._folder = folder
        known = {_key(entry): entry for entry in folder.read_check()}
        keys = [(*names, fingerprint) for names, fingerprint in fingerprints.items()]
        self._entries: dict[tuple[str, str, str], dict[str, Any] | None] = {
            key: known.get(key) for key in keys
        }
        self._process: subprocess.Popen[str] | None = None
        self._problem = "its process ended without an answer"

    def __enter__(self) -> FolderChecks:
        missing = self._missing()
        if not missing:
            return self
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                errors="replace",
                # `python -c` imports from the current folder first; the child returns to it.
                cwd=os.sep,
                env={**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(python_path())},
            )
        except OSError as err:
            self._problem = str(err)
        else:
            self._write([os.getcwd(), [key[:2] for key in missing]])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def finish(self, log: Callable[[str], None]) -> None:
        """Wait for what is not checked yet, and write `check.json`.

        `log` takes a line of progress.
        """
        missing = self._missing()
        if self._process is not None and self._process.poll() is None:
            log(f"checking the images of {', '.join(key[0] for key in missing)}")
        for key, (found, problem) in zip(missing, self._answers(len(missing)), strict=True):
            if found is None:
                log(f"the images of {key[0]} were not checked: {problem}")
            else:
                self._entries[key] = dict(zip(_KEY, key, strict=True)) | found
        write_json(self._folder.check, [entry for entry in self._entries.values() if entry])

    def _missing(self) -> list[tuple[str, str, str]]:
        return [key for key, entry in self._entries.items() if entry is None]

    def _write(self, request: Any) -> None:
        assert self._process is not None and self._process.stdin is not None
        with contextlib.suppress(OSError):  # it died; its answers are missing then
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def _answers(self, count: int) -> list[tuple[dict[str, Any] | None, str]]:
        """Return for each missing folder what was found, or None and the reason."""
        answers: list[tuple[dict[str, Any] | None, str]] = []
        for line in self._output().splitlines()[:count]:
            try:
                found, problem = json.loads(line)
            except (ValueError, TypeError):
                break  # cut off, or not of the check
            answers.append((found, problem))
        return answers + [(None, self._problem)] * (count - len(answers))

    def _output(self) -> str:
        process = self._process
        if process is None or process.stdout is None:
            return ""

        def stop() -> None:
            self._problem = f"it had not ended {_LIMIT_S:g} s after the runs"
            process.kill()

        timer = threading.Timer(_LIMIT_S, stop)
        timer.start()
        # Not `communicate`: it would close the standard input, and so end the process.
        output = process.stdout.read()
        timer.cancel()
        return output


_KEY = ("dataset_dir", "test_dir", "fingerprint")


def _key(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    return tuple(entry.get(name) for name in _KEY)  # type: ignore[return-value]


def serve() -> None:
    """Check the folders that a line of the standard input names; write a line for each.

    The process ends with the one that started it, whose end closes the standard input.
    """
    answers, sys.stdout = sys.stdout, sys.stderr
    here, folders = json.loads(sys.stdin.readline())
    sys.path[:] = [path for path in sys.path if path]
    os.chdir(here)
    if hasattr(os, "nice"):
        os.nice(5)  # the runs come first

    def watch() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    from gellib.audit import short_check

    for dataset_dir, test_dir in folders:
        try:
            answer = json.dumps([short_check(dataset_dir, test_dir), ""])
        except Exception as err:
            answer = json.dumps([None, str(err) or type(err).__name__])
        print(answer, file=answers, flush=True)
    os._exit(0)
