"""Arrays cached on disk under a key: computed once, written atomically, verified when read."""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from gellib.base.files import CannotWriteError, atomic_path, write_text
from gellib.base.locks import locked_if_allowed
from gellib.base.text import bytes_text

log = logging.getLogger(__name__)

_BLOCK = 1 << 20


def cache_key(facts: dict[str, Any]) -> str:
    """Compute the key of plain values: 40 hex digits."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def cached_array(
    folder: Path,
    facts: dict[str, Any],
    shape: tuple[int, ...],
    compute: Callable[[np.ndarray], float | None],
    *,
    title: str,
) -> tuple[np.ndarray, float]:
    """Return the float32 array that `facts` identify, and the seconds that computing it took.

    The array is read-only and memory-mapped. If it is not on disk, it is computed; processes that
    need the same array wait for each other. A damaged file is computed again, with a warning in
    the log.

    Parameters
    ----------
    folder
        Folder of the cache; created if it does not exist.
    facts
        Plain values on which the array depends, for `cache_key`.
    shape
        Shape of the array.
    compute
        A function that fills a memory-mapped array of this shape. It may return the seconds that
        the computation took, if they are not the time spent in it.
    title
        Name of the array, for its note.

    Raises
    ------
    OSError
        When the disk has too little space for the array, or cannot be written. What is in a
        folder that may only be read is used.
    """
    key = cache_key(facts)
    file = folder / f"{key}.npy"
    with locked_if_allowed(folder / f"{key}.lock") as refused:
        if (cached := _read(file, shape)) is not None:
            return cached
        if refused is not None:
            raise CannotWriteError(folder, refused, "give another folder by -p cache_dir DIR")
        for leftover in folder.glob(f".{key}.*"):  # of a process that was killed
            leftover.unlink(missing_ok=True)
        _check_space(folder, shape)
        note_file = file.with_suffix(".json")
        with atomic_path(file) as temporary:
            array = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
            started = time.perf_counter()
            seconds = compute(array)
            seconds = time.perf_counter() - started if seconds is None else seconds
            array.flush()
            del array  # Windows does not rename a mapped file
            note = {"what": title, "shape": list(shape), "seconds": seconds}
            note["checksum"] = _checksum(note, temporary)
            # First the array, then its note: an array without a note is ignored.
            note_file.unlink(missing_ok=True)
        write_text(note_file, json.dumps(note, indent=1))
        return np.lib.format.open_memmap(file, "r"), seconds


def delete_entries(folder: Path, files: Iterable[str]) -> None:
    """Delete arrays by the names of their files; notes first, so that none is incomplete."""
    for name in files:
        for suffix in (".json", ".npy", ".lock"):
            (folder / name).with_suffix(suffix).unlink(missing_ok=True)


def drop_pages(array: np.ndarray) -> None:
    """Return the memory of a mapped array to the system, which reads it again if necessary.

    Written values are not lost. Without this, the memory of a process seems to include all parts of
    the array that it has read or written.
    """
    mapped = getattr(array, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _read(file: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, float] | None:
    note_file = file.with_suffix(".json")
    if not (file.is_file() and note_file.is_file()):
        return None
    try:
        note = json.loads(note_file.read_text(encoding="utf-8"))
        if note.pop("checksum", None) != _checksum(note, file):
            raise ValueError("its checksum differs")
        array = np.lib.format.open_memmap(file, "r")
        if array.shape != shape or array.dtype != np.float32:
            raise ValueError(f"it contains {array.dtype} of shape {array.shape}")
        return array, float(note["seconds"])
    except (OSError, ValueError, KeyError, TypeError) as err:
        log.warning("the cached features in %s are damaged (%s); computing them again", file, err)
        return None


def _checksum(note: dict[str, Any], file: Path) -> str:
    """Hash a note and every byte of its file, at about 5 GB per second of CPU from memory.

    It is no defence against an attacker: whoever can write the file can write its note.
    """
    digest = xxhash.xxh3_128(json.dumps(note, sort_keys=True).encode())
    block = memoryview(bytearray(_BLOCK))
    with open(file, "rb", buffering=0) as stream:
        while n := stream.readinto(block):
            digest.update(block[:n])
    return digest.hexdigest()


def _check_space(folder: Path, shape: tuple[int, ...]) -> None:
    needed = 4 * int(np.prod(shape, dtype=np.int64))
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"the features need {bytes_text(needed)}, but {folder} has {bytes_text(free)} "
            "free; make room there or set cache_dir"
        )
