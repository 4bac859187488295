"""The folder that a sweep writes; this class alone knows the file names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gellib.base.files import write_csv
from gellib.runs.ranking import best_run
from gellib.runs.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd

    from gellib.runs.record import Record


class SweepFolder:
    """The folder of one sweep: one folder per run, `results.csv`, `summary.html`,
    `summary.ipynb`, `check.json` and `sweep.json`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"SweepFolder({str(self.path)!r})"

    @property
    def summary(self) -> Path:
        """The executed summary notebook."""
        return self.path / "summary.ipynb"

    @property
    def page(self) -> Path:
        """The summary as a page that needs no other file."""
        return self.path / "summary.html"

    @property
    def results(self) -> Path:
        """The table of all runs."""
        return self.path / "results.csv"

    @property
    def sweep(self) -> Path:
        """Name, purpose and the names of the runs that belong to the sweep as it is now."""
        return self.path / "sweep.json"

    @property
    def check(self) -> Path:
        """What the check found in each image folder of the sweep."""
        return self.path / "check.json"

    @property
    def lock(self) -> Path:
        """Locked while a sweep runs here."""
        return self.path / ".lock"

    @property
    def live(self) -> Path:
        """Folder of what the sweep is doing now; it is there while a sweep runs."""
        return self.path / ".live"

    @property
    def figures(self) -> Path:
        """Folder of the summary's figures."""
        return self.path / "figures"

    def read_sweep(self) -> dict[str, Any]:
        """Return name, purpose and run names; empty where nothing was written yet."""
        try:
            return json.loads(self.sweep.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def read_check(self) -> list[dict[str, Any]]:
        """Return what the check found, one entry per image folder; empty where none was made."""
        try:
            found = json.loads(self.check.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return found if isinstance(found, list) else []

    def run_folders(self) -> list[RunFolder]:
        """Return the folders of the sweep's runs, in its order.

        Folders that an earlier version of the sweep left behind are not its runs.
        """
        names = self.read_sweep().get("runs")
        if names is None:
            names = sorted(p.parent.name for p in self.path.glob("*/record.json"))
        return [RunFolder(self.path / name) for name in names]

    def records(self) -> list[Record]:
        """Return the records that can be read, in the sweep's order."""
        records = (folder.read_record() for folder in self.run_folders())
        return [record for record in records if record is not None]

    def unreadable(self) -> dict[str, str]:
        """Return why records cannot be read, by the name of the run."""
        found = {folder.path.name: folder.unreadable() for folder in self.run_folders()}
        return {name: str(err) for name, err in found.items() if err is not None}

    def table(self) -> pd.DataFrame:
        """Return one row per record; see `tabulate` for the columns."""
        from gellib.runs.table import tabulate

        return tabulate(self.records())

    def best(self) -> RunFolder | None:
        """Return the best run on the *validation* images; see `best_run`.

        The test images choose nothing, or their accuracy would be too good to be true.
        """
        name = best_run(self.table())
        return RunFolder(self.path / name) if name else None

    def write_results(self) -> Path:
        """Write `results.csv` from the records."""
        from gellib.runs.table import format_results

        write_csv(self.results, format_results(self.table()))
        return self.results
