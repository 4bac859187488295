"""Sweep folders made up for tests: records, tables and images as real runs leave them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from gellib.base.files import write_csv, write_json
from gellib.config import RunConfig
from gellib.evaluation import ImageScores, evaluate
from gellib.report.comparison import Comparison
from gellib.runs import Record, RunFolder, SweepFolder, SweepPredictions, tabulate

CLASSES = ("gel", "not_gel")
GRID = tuple(
    itertools.product(
        ("cpu", "gpu"), ("resnet18", "vgg16", "mobilenet-v3"), ("single", "multi"), ("adam", "sgd")
    )
)


def make_images(root: Path, per_class: dict[str, int], classes=CLASSES, seed=0) -> pd.DataFrame:
    """Draw images (bands in lanes, or blots) and return file, split, label."""
    rng = np.random.default_rng(seed)
    rows = []
    for split, n in per_class.items():
        for number, label in enumerate(classes):
            folder = root / split / label
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(n):
                width, height = rng.integers(90, 260, size=2)
                image = Image.new("L", (int(width), int(height)), int(rng.integers(160, 235)))
                draw = ImageDraw.Draw(image)
                for _ in range(25):
                    x, y = rng.uniform(0, width), rng.uniform(0, height)
                    w, h = (14, 4) if number == 0 else rng.uniform(4, 40, size=2)
                    shape = draw.rectangle if number == 0 else draw.ellipse
                    x = x // 22 * 22 if number == 0 else x
                    shape((x, y, x + w, y + h), fill=int(rng.integers(10, 120)))
                name = f"{label}_{i:02d}.png"
                image.save(folder / name)
                rows.append({"file": f"{split}/{label}/{name}", "split": split, "label": number})
    return pd.DataFrame(rows)


def make_probabilities(labels, n_classes, accuracy, rng) -> np.ndarray:
    """Rows that sum to one, of which exactly `round(accuracy * n)` are right."""
    n = len(labels)
    right = np.zeros(n, dtype=bool)
    right[rng.permutation(n)[: round(accuracy * n)]] = True
    predicted = np.where(right, labels, (labels + 1) % n_classes)
    probabilities = rng.uniform(0.02, 0.4, size=(n, n_classes))
    probabilities[np.arange(n), predicted] = rng.uniform(0.45, 3.0, size=n)
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def make_run(folder, images, params, *, root, accuracy, classes=CLASSES, warning="", epochs=8):
    """Write one finished run whose test accuracy is `accuracy`, in whole images."""
    config = RunConfig.check(params)
    run = RunFolder(folder)
    rng = np.random.default_rng(config.model_id)
    metrics, parts = {}, []
    for split, rows in images.groupby("split", sort=False):
        labels = rows["label"].to_numpy()
        share = accuracy if split == "test" else min(1.0, accuracy + 0.02)
        p = make_probabilities(labels, len(classes), share, rng)
        metrics[split] = evaluate(labels, p, classes, positive=classes[0])
        table = pd.DataFrame(
            {
                "file": rows["file"].to_numpy(),
                "split": split,
                "label": [classes[i] for i in labels],
                "predicted": [classes[i] for i in p.argmax(axis=1)],
            }
        )
        for i, name in enumerate(classes):
            table[f"p_{name}"] = p[:, i]
        parts.append(table)
    decay = np.exp(-np.arange(epochs) / 3)
    history = pd.DataFrame(
        {
            "epoch": np.arange(1, epochs + 1),
            "train_loss": 0.15 + 0.55 * decay,
            "val_loss": 0.25 + 0.45 * decay + rng.uniform(0, 0.05, epochs),
            "train_accuracy": 0.98 - 0.45 * decay,
            "val_accuracy": accuracy - 0.35 * decay,
            "learning_rate": 0.001,
            "seconds": 0.1,
        }
    )
    write_csv(run.history, history)
    write_csv(run.predictions, pd.concat(parts))
    write_json(run.config, config.model_dump())
    run.model.write_bytes(b"stands for a model")
    slow = {"vgg16": 40.0, "resnet18": 6.0}.get(config.pretrained_model, 3.0)
    slow /= 1 if config.hardware_type == "cpu" else 12
    seconds = slow * float(rng.uniform(0.9, 1.1))
    counts = images.groupby(["label", "split"]).size()
    record = {
        "schema": 1,
        "status": "done",
        "reason": "",
        "config": config.model_dump(),
        "config_hash": config.hash(),
        "name": config.name(),
        "data": {
            "root": str(root),
            "fingerprint": "0123456789abcdef",
            "classes": list(classes),
            "positive": classes[0] if len(classes) == 2 else "",
            "counts": {
                name: {s: int(counts.get((i, s), 0)) for s in ("train", "val", "test")}
                for i, name in enumerate(classes)
            },
            "skipped_images": [],
        },
        "environment": {
            "python": "3.11.7",
            "torch": "2.15.0",
            "torchvision": "0.29.2",
            "gellib": "0.1.0",
            "device": "Some CPU (x86_64)" if config.hardware_type == "cpu" else "Some GPU",
            "threads": 2,
            "precision": "fp32",
            "git_commit": "abc1234",
        },
        "weights": {
            "name": "none" if warning else "imagenet",
            "source": "seed 0" if warning else "https://download.pytorch.org/...",
            "sha256": "0" * 64,
            "warning": warning,
        },
        "timings": {
            "data_s": 0.2,
            "features_s": seconds / 2,
            "training_s": seconds,
            "inference_s": seconds / 30,
            "evaluation_s": 0.1,
            "total_s": seconds * 1.7,
            "images_per_s": 60.0,
            "inference_s_per_image": seconds / 660,
        },
        "metrics": metrics,
    }
    write_json(run.record, record)
    return run


def make_sweep(
    path: Path,
    data: Path,
    *,
    accuracies=None,
    gpu=False,
    failed=(),
    warning="",
    classes=CLASSES,
    n_test=11,
    grid=GRID,
) -> SweepFolder:
    """Write a sweep as 24 runs leave it; the GPU's are skipped unless `gpu`."""
    images = make_images(data, {"train": 6, "val": 9, "test": n_test}, classes)
    sweep = SweepFolder(path)
    rng = np.random.default_rng(5)
    names = []
    for number, (hardware, model, head, opt) in enumerate(grid, start=1):
        params = {
            "dataset_dir": str(data),
            "model_id": number,
            "hardware_type": hardware,
            "pretrained_model": model,
            "classifier_head": head,
            "opt_alg": opt,
        }
        config = RunConfig.check(params)
        run = RunFolder(path / config.name())
        names.append(config.name())
        if number in failed:
            error = {"cell": 5, "ename": "ValueError", "evalue": "no", "traceback": ""}
            run.write_outcome(config, "failed", "ValueError: no", error=error)
        elif hardware == "gpu" and not gpu:
            run.write_outcome(config, "skipped", "no CUDA device on this machine")
        else:
            base = {"resnet18": 0.86, "vgg16": 0.77}.get(model, 0.68) + rng.uniform(-0.1, 0.1)
            accuracy = accuracies[number - 1] if accuracies else base
            make_run(
                run.path, images, params, root=data, accuracy=accuracy, classes=classes,
                warning=warning,
            )  # fmt: skip
    info = {"name": path.name, "purpose": "Compare 24 configurations on gel images."}
    write_json(sweep.sweep, {**info, "runs": names})
    sweep.write_results()
    return sweep


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
        record["data"] = {"classes": list(CLASSES), "positive": "gel", "fingerprint": ""}
        out.append(Record.parse(record))
    return out
