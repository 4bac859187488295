"""One run, from its configuration to its record: the steps that `2_train.ipynb` shows."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gellib.base.files import write_csv, write_json
from gellib.base.paths import project_folder, shown_path
from gellib.config import OUTPUT_FIELDS, RunConfig
from gellib.data import ImageSet
from gellib.data.images import BadImageError
from gellib.evaluation import Thresholds
from gellib.models.backbones import Backbone, device_for
from gellib.models.training import (
    TrainResult,
    head_probabilities,
    image_features,
    save_model,
    time_inference,
    train,
)
from gellib.runs import SCHEMA, Record, RunFolder, append_result, record_row
from gellib.training_run.environment import device_name, environment
from gellib.training_run.evaluation import judge, metrics_table
from gellib.training_run.figures import RunFigures
from gellib.training_run.steps import (
    check_network,
    feature_store,
    limits_of,
    load_backbone,
    load_images,
)
from gellib.training_run.uncertainty import doubt_of


class Experiment(RunFigures):
    """The steps of one run, in order; each keeps its time, the last one writes the record."""

    def __init__(self, config: RunConfig) -> None:
        check_network(config)
        self.config = config
        self.timings: dict[str, float] = {}
        self.bad_images: list[BadImageError] = []
        self._started = time.perf_counter()
        path = (
            Path(config.run_dir)
            if config.run_dir
            else project_folder() / "runs" / "single" / config.name()
        )
        self.folder = RunFolder(path.resolve())
        # An earlier result must not pass for this one's while this one is under way.
        self.folder.record.unlink(missing_ok=True)
        write_json(self.folder.config, config.model_dump())

    def load_images(self) -> ImageSet:
        """Find the images, decode each of them once to be sure, and split them.

        Raises
        ------
        ExperimentError
            When images cannot be read and `skip_bad_images` is off; each is named.
        """
        with self._timed("data_s"):
            loaded = load_images(self.config)
        self.bad_images, self._fingerprint = loaded.bad_images, loaded.fingerprint
        self._duplicates = loaded.duplicates
        if loaded.duplicates.sentence():
            print(loaded.duplicates.sentence())
        if loaded.duplicates.warning():
            print(loaded.duplicates.warning(), file=sys.stderr)
        return loaded.images

    def load_backbone(self, images: ImageSet) -> Backbone:
        """Build the network with its weights, on the device that the configuration asks for."""
        config = self.config
        self.device = device_for(config.hardware_type)
        self.store = feature_store(config)
        with self._timed("weights_s"):
            backbone = load_backbone(config)
        if backbone.weights.warning:
            print(backbone.weights.warning, file=sys.stderr)
        return backbone

    def describe(self, backbone: Backbone) -> pd.DataFrame:
        """Show what the network is and where its weights come from."""
        weights = backbone.weights
        facts = {
            "network": backbone.name,
            "features": backbone.dim,
            "weights": f"{weights.name}, {weights.source}",
            "sha256": weights.sha256[:16],
            "input": f"{backbone.preprocessing.image_size} px, {self.config.color}, "
            f"{self.config.input_adapter}, contrast {self.config.contrast}",
            "device": device_name(self.device),
        }
        return pd.DataFrame({"": facts})

    def train(self, images: ImageSet, backbone: Backbone) -> TrainResult:
        """Train, from cached features where the network is frozen; shows its progress."""
        config = self.config
        if config.opt_alg == "lbfgs" and config.augmentation.strip() not in ("", "none"):
            print("opt_alg lbfgs: the images are taken as they are, without augmentation")
        result = train(config, images, backbone, store=self.store, device=self.device)
        self.timings |= {"features_s": result.features_s, "training_s": result.training_s}
        return result

    def evaluate(self, images: ImageSet, result: TrainResult) -> pd.DataFrame:
        """Predict every image, score each part, and time the way from file to probability.

        Returns one row an image: file, split, label, predicted, `p_<class>` (calibrated), and for
        test images entropy and, of a head with dropout, mutual_information.
        """
        with self._timed("evaluation_s"):
            features = image_features(
                result.backbone,
                images,
                store=self.store,
                precision=result.precision,
                device=self.device,
            )
            probabilities = head_probabilities(result.head, features)
            self._judged = judge(images, probabilities, seed=self.config.seed)
            self.metrics = self._judged.metrics
        with self._timed("doubt_s"):
            self._doubt = doubt_of(
                images, result, self._judged, features, self.store, seed=self.config.seed
            )
        self._classes, self._positive, self._root = images.classes, images.positive, images.root
        inference = time_inference(
            result.backbone,
            result.head,
            images,
            rows=np.flatnonzero(self._judged.rows("test")),
            precision=result.precision,
            device=self.device,
            limits=limits_of(self.config),
        )
        self.timings |= {
            "inference_s": inference.seconds,
            "images_per_s": inference.images_per_s,
            "inference_s_per_image": inference.seconds / self.metrics["test"]["n"],
        }
        predictions = self._judged.predictions
        return predictions.join(self._doubt.columns(len(predictions)))

    def metrics_table(self) -> pd.DataFrame:
        """Show the metrics of each part, with the number of images."""
        return metrics_table(self.metrics)

    def finish(
        self, images: ImageSet, result: TrainResult, predictions: pd.DataFrame
    ) -> dict[str, Any]:
        """Save model, tables and, last, the record, which is returned in short."""
        config, folder = self.config, self.folder
        model = {
            "classes": list(images.classes),
            "positive": images.positive,
            "config": config.model_dump(exclude=set(OUTPUT_FIELDS)),
            "task": images.task,
            "precision": result.precision,
            "temperature": self._judged.temperature.value,
        }
        thresholds = self._judged.thresholds
        if thresholds is not None:
            model["thresholds"] = thresholds.values.tolist()
        detector, more = self._doubt.detector, None
        if detector is not None:
            model["out_of_distribution"], more = detector.metadata(), detector.tensors()
        for path in (folder.model, *([Path(config.model_path)] if config.model_path else [])):
            save_model(path, result.head, result.backbone, model, more)
        write_csv(folder.history, result.history)
        folder.write_predictions(predictions)
        write_csv(folder.class_history, result.class_history)
        write_csv(folder.learning_rates, result.learning_rates)
        self.timings["total_s"] = time.perf_counter() - self._started
        record = Record.parse(self._record(images, result))
        append_result(
            Path(config.results_file) if config.results_file else folder.result, record_row(record)
        )
        folder.write_record(record)
        test = record.test
        return {
            "record": shown_path(folder.record),
            "test accuracy": f"{test['accuracy']:.1%} of {test['n']} images",
            **({"test F1, macro": f"{test['f1']:.1%}"} if "hamming_loss" in test else {}),
            "seconds": round(self.timings["total_s"], 1),
        }

    def _record(self, images: ImageSet, result: TrainResult) -> dict[str, Any]:
        config, thresholds = self.config, self._judged.thresholds
        return {
            "schema": SCHEMA,
            "status": "done",
            "reason": "",
            "name": self.folder.path.name,
            "config": config.model_dump(),
            "config_hash": config.hash(),
            "data": {
                "root": config.dataset_dir,
                "fingerprint": self._fingerprint,
                "classes": list(images.classes),
                "positive": images.positive,
                "task": images.task,
                "counts": images.counts().to_dict(orient="index"),
                "duplicates": self._duplicates.to_dict(),
                "skipped_images": [
                    {"file": os.path.relpath(bad.path, images.root), "reason": bad.reason}
                    for bad in self.bad_images
                ],
            },
            "environment": environment(self.device, result.precision),
            "weights": result.backbone.weights.to_dict(),
            "features": result.backbone.dim,
            "parameters": _count_parameters(result),
            "best_epoch": result.best_epoch,
            "stopped_epoch": result.stopped_epoch,
            "timings": self.timings,
            "metrics": self.metrics,
            "calibration": self._judged.calibration(),
            **self._doubt.record(),
            **({} if thresholds is None else {"thresholds": self._thresholds(thresholds)}),
        }

    def _thresholds(self, thresholds: Thresholds) -> dict[str, Any]:
        return {
            "values": dict(zip(self._classes, thresholds.values.tolist(), strict=True)),
            "chosen_on": "val",
            "not_tuned": self._judged.not_tuned(),
        }

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.timings[name] = time.perf_counter() - started


def _count_parameters(result: TrainResult) -> dict[str, int]:
    """Count the parameters of network and head, and those of them that were trained."""
    network = list(result.backbone.network.parameters())
    head = sum(p.numel() for p in result.head.parameters())
    return {
        "total": head + sum(p.numel() for p in network),
        "trained": head + sum(p.numel() for p in network if p.requires_grad),
    }
