"""Records of runs that were never run, and their comparison; nothing is written."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gellib.config import RunConfig
from gellib.evaluation import ImageScores
from gellib.report.comparison import Comparison
from gellib.runs import Record, SweepPredictions, tabulate
from making.folders import GEL_CLASSES


def make_record(
    config: RunConfig, name="01-a", accuracy=0.8181818, val_accuracy=0.9, **more
) -> dict:
    """Build the record of a finished run on 22 test images, as JSON has it."""
    metrics = {
        "n": 22,
        "accuracy": accuracy,
        "precision": 0.8667,
        "recall": accuracy,
        "f1": 0.81,
        "roc_auc": 0.91,
        "loss": 0.4,
        "confusion_matrix": [[7, 4], [0, 11]],
        "per_class": {},
    }
    return {
        "schema": 1,
        "status": "done",
        "reason": "",
        "name": name,
        "config": config.model_dump(),
        "config_hash": config.hash(),
        "data": {"fingerprint": "abc"},
        "weights": {"name": "none", "warning": "random"},
        "timings": {"training_s": 90.0, "inference_s": 8.0, "features_s": 2.0, "total_s": 100.0},
        "metrics": {
            "test": metrics,
            "val": {**metrics, "accuracy": val_accuracy},
            "train": metrics,
        },
        **more,
    }


def make_cv_record(config: RunConfig, name="01-a", accuracy=0.8, **more) -> dict:
    """Build the record of a finished run that was cross-validated, without a test part."""
    given = make_record(config, name, val_accuracy=accuracy)
    val, train = given["metrics"]["val"], given["metrics"]["train"]
    evaluation = {"method": "cv", "folds": 2, "repeats": 2, "groups": 22, "best_epochs": [3] * 4}
    return given | {"evaluation": evaluation, "metrics": {"val": val, "train": train}, **more}


def make_records(rows: list[dict]) -> list[Record]:
    """Build records that have no more than the table needs."""
    out = []
    for number, row in enumerate(rows, start=1):
        config = {
            "model_id": row.get("model_id", number),
            "hardware_type": row.get("hardware_type", "cpu"),
            "pretrained_model": row.get("pretrained_model", "resnet18"),
            "classifier_head": row.get("classifier_head", "single"),
            "opt_alg": row.get("opt_alg", "adam"),
            "seed": row.get("seed", 0),
        }
        record = {"schema": 1, "config": config, "status": row.get("status", "done")}
        record["name"] = f"{number:02d}"
        record["reason"] = row.get("reason", "")
        if record["status"] == "done":
            right, n = row["right"], row.get("n", 22)
            val, n_val = row.get("val", right), row.get("n_val", n)
            half = n // 2
            test = {
                "n": n,
                "accuracy": right / n,
                "precision": right / n,
                "recall": right / n,
                "f1": right / n,
                "roc_auc": right / n,
            }
            # Mistakes on one class first; the rows always sum to the images of their class.
            miss_0 = min(half, n - right)
            miss_1 = n - right - miss_0
            test["confusion_matrix"] = [[half - miss_0, miss_0], [miss_1, n - half - miss_1]]
            record["metrics"] = {
                "test": test,
                "val": {"accuracy": val / n_val, "n": n_val, "loss": row.get("val_loss", 0.5)},
            }
            record["timings"] = {
                "training_s": row.get("training_s", 10.0),
                "features_s": 0.0,
                "inference_s": 0.2,
            }
            record["weights"] = {"name": "imagenet", "warning": row.get("warning", "")}
        record["data"] = {"classes": list(GEL_CLASSES), "positive": "gel", "fingerprint": ""}
        out.append(Record.parse(record))
    return out


def make_table(rows: list[dict]) -> pd.DataFrame:
    """Build the table of a sweep from a few numbers a run: right answers, of how many images."""
    return tabulate(make_records(rows))


def make_comparison(rows: list[dict], *, info=None, images=True) -> Comparison:
    """Compare such runs. Without `answers`, a run is right on its first `right` test images."""
    records = make_records(rows)
    done = [(row, r) for row, r in zip(rows, records, strict=True) if r.done]
    predictions = SweepPredictions(None)
    if images and done:
        n = max(row.get("n", 22) for row, _ in done)
        values = np.full((n, len(done)), np.nan)
        for column, (row, _) in zip(values.T, done, strict=True):
            own = np.arange(row.get("n", 22)) < row["right"]
            column[: len(own)] = row.get("answers", own)
        scores = ImageScores(values, tuple(r.name for _, r in done))
        predictions = SweepPredictions(scores, {("", str(i)): i for i in range(n)})
    return Comparison(tabulate(records), records=records, info=info, predictions=predictions)
