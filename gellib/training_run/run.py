"""One run, from its configuration to its record: the steps that `2_train.ipynb` shows."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from gellib.base.files import write_csv
from gellib.base.paths import expand_user, shown_path
from gellib.config import OUTPUT_FIELDS, RunConfig
from gellib.evaluation.registry import find_metric
from gellib.models.training import head_probabilities, image_features, save_model, train
from gellib.runs import Record, append_result, record_row
from gellib.training_run.environment import device_name
from gellib.training_run.evaluate import evaluate_run
from gellib.training_run.figures import RunFigures
from gellib.training_run.finished_record import finished_record
from gellib.training_run.inference_time import known_inference_time
from gellib.training_run.metrics_table import metrics_table
from gellib.training_run.steps import (
    check_network,
    choose_compute,
    load_backbone,
    load_images,
)
from gellib.training_run.training_images import write_training_images
from gellib.training_run.uncertainty import measure_uncertainty


class TrainingRun(RunFigures):
    """The steps of one run, in order; each keeps its results and its time, the last the record.

    `load_images`, `load_backbone`, `train`, `evaluate`, `finish`. What a step found is a property:
    `images`, `backbone`, `result`, `metrics`, `predictions`. A step repeated makes those after it
    to be repeated too.
    """

    def __init__(self, config: RunConfig) -> None:
        check_network(config)
        super().__init__(config)
        self._started = time.perf_counter()

    def load_images(self) -> None:
        """Find the images, decode each of them once to be sure, and split them.

        Raises
        ------
        TrainingRunError
            When images cannot be read and `skip_bad_images` is off; each is named.
        """
        self._result = self._evaluated = None
        with self._timed("data_s"):
            self._loaded = loaded = load_images(self.config)
        grouped = loaded.duplicates, loaded.families
        about = (*loaded.images.notes, *loaded.notes, *(found.sentence() for found in grouped))
        print(*filter(None, about), sep="\n", end="\n" * any(about))
        problems = (*loaded.images.problems, *(found.warning() for found in grouped))
        for problem in filter(None, problems):
            print(problem, file=sys.stderr)

    def load_backbone(self) -> None:
        """Build the backbone with its weights, on the device that the configuration asks for."""
        self._result = self._evaluated = None
        config = self.config
        compute = choose_compute(config)
        with self._timed("weights_s"):
            backbone = load_backbone(config)
        if backbone.weights.warning:
            print(backbone.weights.warning, file=sys.stderr)
        self._backbone = backbone, compute

    def describe(self) -> pd.DataFrame:
        """Show what the backbone is and where its weights come from."""
        backbone, compute = self._need_backbone("describe")
        weights = backbone.weights
        facts = {
            "network": backbone.name,
            "features": backbone.dim,
            "weights": f"{weights.name}, {weights.source}",
            "sha256": weights.sha256[:16],
            "input": f"{backbone.preprocessing.image_size} px, {self.config.color}, "
            f"{self.config.input_adapter}, contrast {self.config.contrast}",
            "device": device_name(compute.device),
        }
        return pd.DataFrame({"": facts})

    def train(self) -> None:
        """Train, from cached features where the backbone is frozen; shows its progress."""
        loaded = self._need_images("train")
        backbone, compute = self._need_backbone("train")
        config = self.config
        if self._result is not None and not self._result.backbone.frozen:
            # Its layers were trained already: a second time begins where the first one did.
            backbone = load_backbone(config)
            self._backbone = backbone, compute
        self._result = self._evaluated = None
        if config.opt_alg == "lbfgs" and config.augmentation.strip() not in ("", "none"):
            print("opt_alg lbfgs: the images are taken as they are, without augmentation")
        folds = loaded.training_folds
        self._result = result = train(config, loaded.with_extra, backbone, compute, folds=folds)
        self.timings |= {"features_s": result.features_s, "training_s": result.training_s}
        if result.cross_validation is not None:
            self.timings["cross_validation_s"] = result.cross_validation.seconds

    def evaluate(self) -> None:
        """Predict every image, score each split, and time the way from file to probability.

        `predictions` then has one row per image: file, split, label, predicted, `p_<class>`
        (calibrated), and for test images entropy and, of a head with dropout, mutual_information.
        In a cross-validation, images of the split `cv` have their out-of-fold predictions, and
        where there is no test part these measures, over the repeats.
        """
        result = self._need_result("evaluate")
        images = self.images
        compute = replace(self.compute, precision=result.precision, progress=False)
        with self._timed("evaluation_s"):
            # The features of a frozen network are in the store, of all images together.
            known = self.loaded.with_extra if result.backbone.frozen else images
            features = image_features(result.backbone, known, compute)[: len(images)]
            probabilities = head_probabilities(result.head, features)
            evaluation = evaluate_run(
                images, probabilities, seed=self.config.seed, crossed=result.cross_validation
            )
        with self._timed("uncertainty_s"):
            uncertainty = measure_uncertainty(
                images, result, evaluation, features, compute.features, seed=self.config.seed
            )
        inference = known_inference_time(
            result, images, np.flatnonzero(evaluation.scored_rows), compute
        )
        self.timings |= {
            "inference_s": inference.seconds,
            "images_per_s": inference.images_per_s,
            "inference_s_per_image": inference.seconds / evaluation.scores["n"],
        }
        predictions = evaluation.predictions
        predictions = predictions.join(uncertainty.columns(len(predictions)))
        self._evaluated = evaluation, uncertainty, predictions
        if warning := uncertainty.rule.warning(images.classes):
            print(warning)

    def metrics_table(self) -> pd.DataFrame:
        """Show the metrics of each split, with the number of images."""
        evaluation = self._need_evaluation("metrics_table")[0]
        val_name = "val" if evaluation.folds is None else "out of fold"
        return metrics_table(evaluation.metrics, evaluation.task, val_name=val_name)

    def finish(self) -> dict[str, Any]:
        """Save model, tables and, last, the record, which is returned in short."""
        evaluation, uncertainty, predictions = self._need_evaluation("finish")
        config, folder, images, result = self.config, self.folder, self.images, self.result
        model = {
            "classes": list(images.classes),
            "positive": images.positive,
            "config": config.model_dump(exclude=set(OUTPUT_FIELDS)),
            "task": images.task.name,
            "precision": result.precision,
            "temperature": evaluation.temperature.value,
        }
        if evaluation.thresholds is not None:
            model["thresholds"] = evaluation.thresholds.values.tolist()
        model["prediction_sets"] = uncertainty.rule.metadata()
        detector, more = uncertainty.detector, None
        if detector is not None:
            model["out_of_distribution"], more = detector.metadata(), detector.tensors()
        for path in (
            folder.model,
            *([expand_user(config.model_path)] if config.model_path else []),
        ):
            save_model(path, result.head, result.backbone, model, more)
        write_csv(folder.history, result.history)
        folder.write_predictions(predictions)
        write_training_images(folder, self.loaded.with_extra)
        if evaluation.folds is not None:
            write_csv(folder.out_of_fold, evaluation.out_of_fold_table(images))
        write_csv(folder.class_history, result.class_history)
        write_csv(folder.learning_rates, result.learning_rates)
        self.timings["total_s"] = time.perf_counter() - self._started
        record = Record.parse(finished_record(self))
        append_result(
            expand_user(config.results_file) if config.results_file else folder.result,
            record_row(record),
        )
        folder.write_record(record)
        scores, task, where = record.scores, record.task, record.scored_on
        score = find_metric(task.headline, task.name)
        score_text = score.text(scores[score.name])
        return {
            "record": shown_path(folder.record),
            f"{where} accuracy": f"{scores['accuracy']:.1%} of {scores['n']} images",
            **({} if score.name == "accuracy" else {f"{where} {score.heading}": score_text}),
            "seconds": round(self.timings["total_s"], 1),
        }

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.timings[name] = time.perf_counter() - started
