"""The folder that a run writes; this class alone knows the file names."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gellib.config import RunConfig
from gellib.base.files import write_csv, write_json, write_text
from gellib.base.spreadsheet import from_cell

if TYPE_CHECKING:
    import pandas as pd

    from gellib.runs.record import Record, RecordError, Status

# The types of a record are imported where one is read: most runs that are listed have none yet.


class RunFolder:
    """The folder of one run: `config.json`, the executed notebook, results, `record.json` last."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @property
    def notebook(self) -> Path:
        """The executed notebook."""
        return self.path / "train.ipynb"

    @property
    def page(self) -> Path:
        """The executed notebook as a page that needs no other file; made on demand."""
        return self.path / "train.html"

    @property
    def config(self) -> Path:
        """The resolved configuration, every default included."""
        return self.path / "config.json"

    @property
    def history(self) -> Path:
        """One row per epoch."""
        return self.path / "history.csv"

    @property
    def class_history(self) -> Path:
        """One row per epoch, split and class: precision, recall, f1."""
        return self.path / "history_classes.csv"

    @property
    def learning_rates(self) -> Path:
        """One row per step of the optimiser."""
        return self.path / "learning_rates.csv"

    @property
    def predictions(self) -> Path:
        """One row per image: file, split, label, predicted, one probability per class.

        Several labels are joined by `|`; none at all is an empty cell. In a cross-validation, the
        split `cv` has the out-of-fold predictions, averaged over the repeats.
        """
        return self.path / "predictions.csv"

    @property
    def predictions_json(self) -> Path:
        """The same as a list of objects, with the probabilities by class name."""
        return self.path / "predictions.json"

    @property
    def out_of_fold(self) -> Path:
        """One row per image and repeat of a cross-validation: its fold and its prediction there."""
        return self.path / "out_of_fold.csv"

    @property
    def training_images(self) -> Path:
        """One row per image that the model was trained on: file, split and sha256."""
        return self.path / "training_images.csv"

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.path / "model.safetensors"

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.path / "figures"

    @property
    def result(self) -> Path:
        """One line of results, in the columns of a sweep's `results.csv`."""
        return self.path / "results.csv"

    @property
    def record(self) -> Path:
        """What was run, on what, and what came out; written last."""
        return self.path / "record.json"

    @property
    def running(self) -> Path:
        """Marks a run that was started; a kill leaves it behind."""
        return self.path / "running"

    @property
    def log(self) -> Path:
        """What the run's kernel printed outside its notebook."""
        return self.path / "log.txt"

    def read_record(self) -> Record | None:
        """Return the record, or None where there is none, or `unreadable` says why it cannot be read."""
        if not os.path.exists(self.record):
            return None
        from gellib.runs.record import Record, RecordError

        try:
            return Record.read(self.record)
        except RecordError:
            return None

    def unreadable(self) -> RecordError | None:
        """Return why the record cannot be read; None where it can, and where there is none."""
        if not os.path.exists(self.record):
            return None
        from gellib.runs.record import Record, RecordError

        try:
            Record.read(self.record)
        except RecordError as err:
            return err if self.record.exists() else None
        return None

    def write_record(self, record: Record) -> None:
        """Write the record, the last file of a run."""
        write_json(self.record, record.to_dict())

    def read_history(self) -> pd.DataFrame:
        """Return the table of epochs."""
        return _read_csv(self.history)

    def read_class_history(self) -> pd.DataFrame:
        """Return the table of the classes in each epoch."""
        return _read_csv(self.class_history, dtype={"class": str}, keep_default_na=False)

    def read_predictions(self) -> pd.DataFrame:
        """Return the table of predictions; class names stay text, `001` is not 1."""
        names = {"file": str, "split": str, "label": str, "predicted": str}
        # Test images alone have a measure of uncertainty.
        empty = {"entropy": [""], "mutual_information": [""]}
        return _read_csv(self.predictions, dtype=names, keep_default_na=False, na_values=empty)

    def write_predictions(self, table: pd.DataFrame) -> None:
        """Write the table of predictions as CSV and as JSON."""
        import pandas as pd

        write_csv(self.predictions, table)
        names = {name: name[2:] for name in map(str, table.columns) if name.startswith("p_")}
        facts = [
            {name: value for name, value in row.items() if not pd.isna(value)}
            for row in table.drop(columns=list(names)).to_dict(orient="records")
        ]
        shares = table[list(names)].rename(columns=names).to_dict(orient="records")
        lines = (
            json.dumps(row | {"probabilities": p}, ensure_ascii=False, allow_nan=False)
            for row, p in zip(facts, shares, strict=True)
        )
        write_text(self.predictions_json, "[\n" + ",\n".join(lines) + "\n]\n")

    def is_done(self, config: RunConfig, fingerprint: str = "") -> bool:
        """Whether this configuration has finished here, on this data."""
        record = self.read_record()
        if record is None or not record.done:
            return False
        same_data = not fingerprint or record.data.fingerprint == fingerprint
        return same_data and record.config_hash == config.hash()

    def clear(self) -> None:
        """Remove everything, the record first, so that no half of an old run looks finished."""
        self.record.unlink(missing_ok=True)
        if self.path.exists():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)

    def write_outcome(
        self, config: RunConfig, status: Status, reason: str, *, error: dict[str, Any] | None = None
    ) -> None:
        """Record a run that did not finish, with the reason.

        Parameters
        ----------
        config
            Parameters of the run.
        status
            `failed` or `skipped`.
        reason
            One sentence.
        error
            Of a cell that raised: `cell`, `ename`, `evalue`, `traceback`.
        """
        from gellib.runs.record import SCHEMA, Record
        from gellib.runs.record_sections import ErrorRecord

        more = {} if error is None else {"error": ErrorRecord.model_validate(error)}
        record = Record(
            version=SCHEMA,
            status=status,
            reason=reason,
            name=self.path.name,
            config=config.model_dump(),
            config_hash=config.hash(),
            **more,
        )
        self.write_record(record)


def _read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read numbers as they were written, to the last bit: since pandas 3.1 by default."""
    import pandas as pd

    version = tuple(int(part) for part in pd.__version__.split(".")[:2])
    exact: dict[str, Any] = {} if version >= (3, 1) else {"float_precision": "round_trip"}
    table = pd.read_csv(path, **options, **exact).rename(columns=from_cell)
    for name in table.columns:
        if table[name].dtype.kind not in "biuf":
            own = table[name]
            table[name] = own.map(lambda v: from_cell(v) if isinstance(v, str) else v)
    return table
