"""Which runs of a sweep are done, and which are to do: statuses, the lock, the plan."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gellib.base.paths import in_shell
from gellib.config import OUTPUT_FIELDS, RunConfig
from gellib.runs import RunFolder, SweepFolder
from gellib.sweeps.spec import Sweep
from gellib.sweeps.sweep_file import SweepError, SweepInputError

if TYPE_CHECKING:
    from gellib.runs import Record

# Who asks whether a sweep runs holds its lock for a moment; a sweep holds it to its end.
_ASKED_S = 1.0


def status_of(folder: SweepFolder, sweep: Sweep, *, alive: bool | None = None) -> dict[str, str]:
    """Return `done`, `failed`, `skipped`, `running` or `to do` by the name of the run.

    `alive` says whether a sweep is running in the folder; by default its lock is tried.
    """
    if alive is None:
        alive = is_running(folder)
    statuses: dict[str, str] = {}
    for name, config in sweep.configs.items():
        run = RunFolder(folder.path / name)
        record = run.read_record()
        if record is not None and record.config_hash == config.hash():
            statuses[name] = record.status
        else:
            statuses[name] = "running" if alive and run.running.exists() else "to do"
    return statuses


def status_in(folder: SweepFolder) -> dict[str, str]:
    """Return the statuses of `status_of` for a folder alone, as its last sweep left them."""
    alive = is_running(folder)
    statuses: dict[str, str] = {}
    for run in folder.run_folders():
        record = run.read_record()
        if record is not None:
            statuses[run.path.name] = record.status
        else:
            statuses[run.path.name] = "running" if alive and run.running.exists() else "to do"
    return statuses


def is_running(folder: SweepFolder) -> bool:
    """Whether a sweep is running in this folder now."""
    # Opened for reading only: a folder that belongs to another user can be asked, too.
    try:
        stream = open(folder.lock, "rb")
    except FileNotFoundError:
        return False
    with stream:
        try:
            import fcntl
        except ImportError:  # Windows
            return _is_held(folder)
        try:
            # Shared: two who ask at the same time do not see each other as a sweep.
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a file system without locks
            return False
        return False


def _is_held(folder: SweepFolder) -> bool:
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder.lock, timeout=_ASKED_S):
            return False
    except Timeout:
        return True


@contextlib.contextmanager
def locked(folder: SweepFolder) -> Iterator[None]:
    """Hold the folder for one sweep.

    Raises
    ------
    SweepError
        When another sweep holds it, or it cannot be written to.
    """
    from filelock import FileLock, Timeout

    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.lock, timeout=_ASKED_S)
        lock.acquire()
    except Timeout:
        raise SweepError(
            f"a sweep is running in {folder.path} already; wait for it, or give another --out"
        ) from None
    except OSError as err:
        raise SweepError(
            f"cannot write to {folder.path}: {err.strerror}; give another folder by --out"
        ) from err
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class FoundImages:
    """Fingerprints of the data set and of further training images, and how many they all are."""

    fingerprint: str
    extra: str = ""
    count: int = 0


def find_sweep_images(sweep: Sweep) -> dict[tuple[str, str, str], FoundImages]:
    """Read the images of a sweep, by `image_folders`; a wrong folder ends it before any run.

    Raises
    ------
    SweepError
        When images cannot be used.
    """
    from gellib.data import load_extra_training, load_imageset

    try:
        sets = {
            key: load_imageset(key[0], test_dir=key[1])
            for key in dict.fromkeys(config.image_folders[:2] for config in sweep.configs.values())
        }
        fingerprints = {key: images.fingerprint() for key, images in sets.items()}
        found = {}
        for folders in dict.fromkeys(config.image_folders for config in sweep.configs.values()):
            own, extra = folders[:2], folders[2]
            more = load_extra_training(sets[own], extra) if extra else None
            found[folders] = FoundImages(
                fingerprints[own],
                "" if more is None else more.fingerprint(),
                len(sets[own]) + (0 if more is None else len(more)),
            )
        return found
    except (ValueError, OSError) as err:
        hint = ""
        if sweep.system and (missing := sweep.missing_folders()):
            hint = (
                " Or make simulated ones: "
                f"gellib simulate {sweep.system} --out {in_shell(missing[0])}; "
                "--quick makes a few by itself."
            )
        raise SweepInputError(f"the images cannot be used: {err}{hint}") from err


def plan(
    sweep: Sweep,
    folder: SweepFolder,
    images: dict[tuple[str, str, str], FoundImages],
    weights: dict[tuple[str, str], dict[str, str]],
) -> dict[str, RunConfig]:
    """Return the runs that are not done; refuse to overwrite finished runs of another kind.

    A run is done when its record is of this configuration, of these images and of the weights
    that the configuration means now, and its notebook is there.

    Parameters
    ----------
    sweep
        The sweep as it is now.
    folder
        Its folder, with what earlier sweeps left there.
    images
        What `find_sweep_images` returned.
    weights
        Name and sha256 of those that are available, by backbone and parameter `weights`.

    Raises
    ------
    SweepError
        When finished runs there differ from what the sweep asks for.
    """
    todo: dict[str, RunConfig] = {}
    others: list[tuple[str, str]] = []
    for name, config in sweep.configs.items():
        run = RunFolder(folder.path / name)
        record = run.read_record()
        difference = ""
        unreadable = run.unreadable()
        if unreadable is not None and unreadable.other_version:
            difference = str(unreadable)
        elif record is not None and record.done:
            now = weights[config.pretrained_model, config.weights]
            difference = _difference(record, config, images[config.image_folders], now)
            if not difference and run.notebook.exists():
                continue
        if difference:
            others.append((name, difference))
        todo[name] = config
    if others:
        name, difference = others[0]
        raise SweepError(
            f"{folder.path} holds {len(others)} finished runs that differ from this sweep's; in "
            f"{name}: {difference}. Give --out DIR to keep them, or --fresh to overwrite them."
        )
    return todo


def _difference(
    record: Record, config: RunConfig, images: FoundImages, weights: dict[str, str]
) -> str:
    if record.config_hash != config.hash():
        ours, theirs = config.model_dump(exclude=set(OUTPUT_FIELDS)), record.config
        names = [name for name in ours if ours[name] != theirs.get(name)]
        shown = [f"{name} is {theirs.get(name)!r} there, {ours[name]!r} here" for name in names]
        return "; ".join(shown[:3]) or "its parameters are of another version of gellib"
    if record.data.fingerprint != images.fingerprint:
        return "the images have changed since"
    if record.data.extra.fingerprint != images.extra:
        return "the further training images have changed since"
    then = record.weights
    if then.name != weights["name"] or (weights["sha256"] and then.sha256 != weights["sha256"]):
        return f"its weights are {then.name}, the available ones {weights['name']}"
    return ""
