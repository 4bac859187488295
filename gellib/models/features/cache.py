"""Arrays on disk under a key: computed once, whole or not there, checked when read."""

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
from filelock import FileLock

from gellib.base.files import atomic_path, write_text

log = logging.getLogger(__name__)

_HASH_WHOLE_BELOW = 256 << 20
_BLOCK = 1 << 20
_BLOCKS = 64


def cache_key(facts: dict[str, Any]) -> str:
    """Compute 40 hex digits from plain values."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def cached_array(
    folder: Path,
    facts: dict[str, Any],
    shape: tuple[int, ...],
    compute: Callable[[np.ndarray], float | None],
    *,
    what: str,
) -> tuple[np.ndarray, float]:
    """Get the float32 array that `facts` identify, and the seconds that it took to compute.

    The array is read-only and memory-mapped. If it is not on disk, `compute` fills an array that
    is, and may return the seconds where not it has spent them; processes that want the same array
    wait for each other. A file that is damaged is computed again, with a warning in the log.
    """
    key = cache_key(facts)
    file = folder / f"{key}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{key}.lock"):
        if (known := _read(file, shape)) is not None:
            return known
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
            del array  # Windows renames no file that is mapped
            note = {"what": what, "shape": list(shape), "seconds": seconds}
            note |= _fingerprint(temporary)
            # First the array, then its note: without the note it does not count.
            note_file.unlink(missing_ok=True)
        write_text(note_file, json.dumps(note, indent=1))
        return np.lib.format.open_memmap(file, "r"), seconds


def delete_entries(folder: Path, files: Iterable[str]) -> None:
    """Delete arrays by the names of their files, the notes that make them count first."""
    for name in files:
        for suffix in (".json", ".npy", ".lock"):
            (folder / name).with_suffix(suffix).unlink(missing_ok=True)


def drop_pages(array: np.ndarray) -> None:
    """Give the memory of a mapped array back to the system, which reads it again if need be.

    What was written is not lost; without this a process seems to hold all that it has touched.
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
        if note["fingerprint"] != _fingerprint(file)["fingerprint"]:
            raise ValueError("its checksum is another")
        array = np.lib.format.open_memmap(file, "r")
        if array.shape != shape or array.dtype != np.float32:
            raise ValueError(f"it holds {array.dtype} of shape {array.shape}")
        return array, float(note["seconds"])
    except (OSError, ValueError, KeyError, TypeError) as err:
        log.warning("the cached features in %s are damaged (%s); computing them again", file, err)
        return None


def _fingerprint(file: Path) -> dict[str, Any]:
    """Hash the file; of a large one its size and blocks spread evenly over it."""
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with open(file, "rb") as stream:
        if size <= _HASH_WHOLE_BELOW:
            while block := stream.read(_BLOCK):
                digest.update(block)
        else:
            for i in range(_BLOCKS):
                stream.seek((size - _BLOCK) * i // (_BLOCKS - 1))
                digest.update(stream.read(_BLOCK))
    return {"bytes": size, "fingerprint": digest.hexdigest()}


def _check_space(folder: Path, shape: tuple[int, ...]) -> None:
    needed = 4 * int(np.prod(shape, dtype=np.int64))
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"the features need {needed / 1e9:.1f} GB, but {folder} has {free / 1e9:.1f} GB "
            "free; make room there or set cache_dir"
        )
