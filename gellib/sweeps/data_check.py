"""The check of a sweep's images, once per image folder, for its summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gellib.base.files import write_json
from gellib.runs import SweepFolder
from gellib.sweeps import kernel_server

# A sample of 300 images takes seconds; on a network folder a minute.
_LIMIT_S = 300.0


def check_image_folders(
    folder: SweepFolder,
    fingerprints: Mapping[tuple[str, str], str],
    log: Callable[[str], None],
) -> None:
    """Write `check.json` into the sweep's folder; image folders that it knows are kept.

    A check that fails is named and left out: the runs do not depend on it.

    Parameters
    ----------
    folder
        Where the sweep's results go.
    fingerprints
        Of the images, by `dataset_dir` and `test_dir`.
    log
        Takes a line of progress.
    """
    known = {
        (entry.get("dataset_dir"), entry.get("test_dir"), entry.get("fingerprint")): entry
        for entry in folder.read_check()
    }
    entries = []
    for (dataset_dir, test_dir), fingerprint in fingerprints.items():
        entry = known.get((dataset_dir, test_dir, fingerprint))
        if entry is None:
            log(f"checking the images of {dataset_dir}")
            function = "gellib.audit.short_check:short_check"
            try:
                found = kernel_server.call(function, dataset_dir, test_dir, limit_s=_LIMIT_S)
            except (ValueError, OSError, RuntimeError) as err:  # TimeoutError is an OSError
                log(f"the images of {dataset_dir} were not checked: {err}")
                continue
            names = {"dataset_dir": dataset_dir, "test_dir": test_dir, "fingerprint": fingerprint}
            entry = names | found
        entries.append(entry)
    write_json(folder.check, entries)
