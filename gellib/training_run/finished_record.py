"""The record of a finished run, from the results of its steps."""

from __future__ import annotations

import os
from typing import Any

from gellib.data import ImageSet
from gellib.models.training import TrainResult
from gellib.runs import SCHEMA
from gellib.training_run.environment import environment
from gellib.training_run.run_evaluation import RunEvaluation
from gellib.training_run.state import RunState


def finished_record(run: RunState) -> dict[str, Any]:
    """Collect all that the record of a finished run has, as plain values."""
    config, loaded, result, evaluation = run.config, run.loaded, run.result, run.evaluation
    images = loaded.images
    return {
        "schema": SCHEMA,
        "status": "done",
        "reason": "",
        "name": run.folder.path.name,
        "config": config.model_dump(),
        "config_hash": config.hash(),
        "data": {
            "root": config.dataset_dir,
            "fingerprint": loaded.fingerprint,
            "classes": list(images.classes),
            "positive": images.positive,
            "task": images.task.name,
            "counts": images.counts().to_dict(orient="index"),
            "duplicates": loaded.duplicates.to_dict(),
            "families": loaded.families.to_dict(),
            "skipped_images": [
                {"file": os.path.relpath(bad.path, images.root), "reason": bad.reason}
                for bad in loaded.bad_images
            ],
            **({} if loaded.extra is None else {"extra": loaded.extra.to_dict()}),
        },
        "evaluation": _evaluation_record(result),
        "environment": environment(run.compute.device, result.precision),
        "weights": result.backbone.weights.to_dict(),
        "features": result.backbone.dim,
        "parameters": _count_parameters(result),
        "best_epoch": result.best_epoch,
        "stopped_epoch": result.stopped_epoch,
        "timings": dict(run.timings),
        "metrics": evaluation.metrics,
        "calibration": evaluation.calibration(),
        **run.uncertainty.record(),
        **_thresholds_record(evaluation, images),
    }


def _evaluation_record(result: TrainResult) -> dict[str, Any]:
    crossed = result.cross_validation
    if crossed is None:
        return {"method": "holdout"}
    return {
        "method": "cv",
        "folds": crossed.folds.count,
        "repeats": crossed.folds.repeats,
        "groups": crossed.folds.groups,
        "best_epochs": list(crossed.best_epochs),
    }


def _count_parameters(result: TrainResult) -> dict[str, int]:
    """Count the parameters of network and head, and those of them that were trained."""
    network = list(result.backbone.network.parameters())
    head = sum(p.numel() for p in result.head.parameters())
    return {
        "total": head + sum(p.numel() for p in network),
        "trained": head + sum(p.numel() for p in network if p.requires_grad),
    }


def _thresholds_record(evaluation: RunEvaluation, images: ImageSet) -> dict[str, Any]:
    if evaluation.thresholds is None:
        return {}
    values = dict(zip(images.classes, evaluation.thresholds.values.tolist(), strict=True))
    not_tuned = evaluation.not_tuned()
    chosen_on = "val" if evaluation.folds is None else "out of fold"
    return {"thresholds": {"values": values, "chosen_on": chosen_on, "not_tuned": not_tuned}}
