"""Sweep folders made up for tests: records, tables and images as real runs leave them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd

from gellib.base.files import write_csv, write_json
from gellib.config import RunConfig
from gellib.evaluation import evaluate
from gellib.runs import RunFolder, SweepFolder
from making.folders import GEL_CLASSES, make_gels, make_stripes_and_dots

GRID = tuple(
    itertools.product(
        ("cpu", "gpu"), ("resnet18", "vgg16", "mobilenet-v3"), ("single", "multi"), ("adam", "sgd")
    )
)


def make_probabilities(labels, n_classes, accuracy, rng) -> np.ndarray:
    """Rows that sum to one, of which exactly `round(accuracy * n)` are right."""
    n = len(labels)
    right = np.zeros(n, dtype=bool)
    right[rng.permutation(n)[: round(accuracy * n)]] = True
    predicted = np.where(right, labels, (labels + 1) % n_classes)
    probabilities = rng.uniform(0.02, 0.4, size=(n, n_classes))
    probabilities[np.arange(n), predicted] = rng.uniform(0.45, 3.0, size=n)
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def make_run(folder, images, params, *, root, accuracy, classes=GEL_CLASSES, warning="", epochs=8):
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
    classes=GEL_CLASSES,
    n_test=11,
    grid=GRID,
) -> SweepFolder:
    """Write a sweep as 24 runs leave it; the GPU's are skipped unless `gpu`."""
    images = make_gels(data, {"train": 6, "val": 9, "test": n_test}, classes)
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


def add_run(folder, name, images, root, accuracy, **params):
    """Write one finished run under a name of its own; returns the name."""
    classes = params.pop("classes", ("gel", "not_gel"))
    made = make_run(
        folder / name, images, {"dataset_dir": str(root), **params}, root=root, accuracy=accuracy,
        classes=classes,
    )  # fmt: skip
    record = made.read_record()
    write_json(made.record, {**record.to_dict(), "name": name})
    return name


def write_sweep(folder, names, **more):
    """Write what says which runs a sweep has."""
    write_json(SweepFolder(folder).sweep, {"name": folder.name, "runs": names, **more})
    return SweepFolder(folder)


def make_scored_sweep(folder, scores, *, losses=None, repeat="seed", failed=(), several=False):
    """Write a sweep whose runs have given validation scores, by configuration and seed."""
    images = make_gels(folder / "data", {"train": 2, "val": 4, "test": 4})
    sweep, names = SweepFolder(folder / "runs" / "sweep"), []
    for model, values in scores.items():
        for number, score in enumerate(values):
            name = f"{model:02d}-{repeat}{number}"
            names.append(name)
            params = {
                "dataset_dir": str(folder / "data"),
                "model_id": model,
                "classifier_head": ["single", "multi"][model % 2],
                repeat: number,
            }
            run = make_run(sweep.path / name, images, params, root=folder, accuracy=0.8)
            record = run.read_record().to_dict()
            loss = (losses or {}).get((model, number), 0.5)
            metric = "f1_samples" if several else "accuracy"
            for split in ("val", "test"):
                record["metrics"][split] |= {metric: score, "loss": loss}
                if several:
                    record["metrics"][split]["accuracy"] = 1 - score
            record["name"] = name
            if (model, number) in failed:
                record |= {"status": "failed", "reason": "no"}
            run.record.write_text(json.dumps(record))
    write_json(sweep.sweep, {"name": "sweep", "purpose": "", "runs": names})
    return sweep


SWEEP_FILE = """
name: small
purpose: Does the machinery work?
params:
  dataset_dir: {images}
  image_size: 32
  num_epochs: 2
  weights: none
  batch_size: 4
  cache_dir: {cache}
grid:
  classifier_head: [single, multi]
  opt_alg: [adam, sgd]
"""


def make_sweep_file(folder: Path) -> Path:
    """Write images and `small.yaml` into a folder; returns the sweep file."""
    make_stripes_and_dots(folder / "images")
    file = folder / "small.yaml"
    text = SWEEP_FILE.format(images=folder / "images", cache=folder / "cache")
    file.write_text(text, encoding="utf-8")
    return file


def make_cross_validated_sweep(
    folder: Path,
    accuracies,
    *,
    n=92,
    folds=5,
    repeats=3,
    groups=1,
    given_test=0,
    margin=None,
    shared=0.9,
    readable=False,
    **params,
) -> SweepFolder:
    """Write a sweep of configurations that were cross-validated, with given expected accuracies.

    `accuracies` is a list, or has parameters by configuration: pairs of a dict and an accuracy.
    `shared` is the share of images on which all configurations are right or wrong together;
    `groups` images each form a group, `given_test` images are a given test part, and images are
    written only if `readable`.
    """
    rng = np.random.default_rng(0)
    listed = [a if isinstance(a, tuple) else ({"learning_rate": 0.001 * (k + 1)}, a)
              for k, a in enumerate(accuracies)]  # fmt: skip
    images = pd.DataFrame({"file": [f"{i:04d}.png" for i in range(n + given_test)]})
    if readable:
        images = make_gels(folder / "data", {"train": n // 2})
        n = len(images)
    if not readable:
        images["label"] = np.arange(n + given_test) % 2
    images["split"] = ["cv"] * n + ["test"] * given_test
    group = [f"g{i // groups}" if groups > 1 else "" for i in range(n + given_test)]
    fold = np.stack(
        [rng.permutation(-(-n // groups)).repeat(groups)[:n] % folds for _ in range(repeats)]
    )
    easy, common = (
        rng.random((n + given_test) // groups + 1).repeat(groups),
        rng.random(n + given_test) < shared,
    )
    sweep, names = SweepFolder(folder / "sweep"), []
    for k, (own, accuracy) in enumerate(listed, start=1):
        name = f"{k:02d}-cv"
        names.append(name)
        config = RunConfig.check(
            {"dataset_dir": str(folder / "data"), "model_id": k, "evaluation": "cv",
             "cv_folds": folds, "cv_repeats": repeats, **params, **own}
        )  # fmt: skip
        run = RunFolder(sweep.path / name)
        run.path.mkdir(parents=True)
        mine = np.where(common, easy[: n + given_test], rng.random(n + given_test))
        rows, tables = [], []
        for repeat in range(repeats):
            wobble = mine[:n] + rng.normal(0, 0.03, n)
            right = wobble < np.quantile(wobble, accuracy)
            p = np.where(right, 0.9, 0.1)
            tables.append(p)
            for i in range(n):
                label = int(images["label"][i])
                given = label if right[i] else 1 - label
                p_gel = p[i] if label == 0 else 1 - p[i]
                rows.append((images["file"][i], group[i], repeat, fold[repeat, i],
                             GEL_CLASSES[label], GEL_CLASSES[given], p_gel, 1 - p_gel))  # fmt: skip
        probability = ["p_" + name_ for name_ in GEL_CLASSES]
        columns = ["file", "group", "repeat", "fold", "label", "predicted", *probability]
        write_csv(run.out_of_fold, pd.DataFrame(rows, columns=columns))
        p_right = np.concatenate([np.mean(tables, axis=0), np.where(mine[n:] < accuracy, 0.9, 0.1)])
        labels = images["label"].to_numpy()
        p = np.where(np.eye(2, dtype=bool)[labels], p_right[:, None], 1 - p_right[:, None])
        table = images.assign(
            label=[GEL_CLASSES[i] for i in labels],
            predicted=[GEL_CLASSES[i] for i in p.argmax(axis=1)],
            group=group,
            **dict(zip(probability, p.T, strict=True)),
        )
        write_csv(run.predictions, table)
        write_json(run.config, config.model_dump())
        run.model.write_bytes(b"stands for a model")
        parts = {"val": slice(0, n), "train": slice(0, n)}
        if given_test:
            parts["test"] = slice(n, None)
        metrics = {
            split: evaluate(labels[rows_], p[rows_], GEL_CLASSES, positive=GEL_CLASSES[0])
            for split, rows_ in parts.items()
        }
        counts = {
            name_: {"cv": int((labels[:n] == i).sum()), "test": int((labels[n:] == i).sum())}
            for i, name_ in enumerate(GEL_CLASSES)
        }
        speed = {"vgg16": 10.0, "mobilenet-v3": 90.0}.get(config.pretrained_model, 30.0)
        record = {
            "schema": 1, "status": "done", "config": config.model_dump(), "name": name,
            "config_hash": config.hash(),
            "data": {"root": str(folder / "data"), "fingerprint": "f", "counts": counts,
                     "classes": list(GEL_CLASSES), "positive": GEL_CLASSES[0]},
            "evaluation": {"method": "cv", "folds": folds, "repeats": repeats,
                           "groups": -(-n // groups), "best_epochs": [3] * folds * repeats},
            "environment": {"device": "Some CPU (x86_64)", "threads": 2},
            "weights": {"name": "imagenet"},
            "parameters": {"total": {"vgg16": 138_000_000}.get(config.pretrained_model, 5_000_000)},
            "timings": {"features_s": 1.0, "training_s": 2.0, "inference_s": 0.1,
                        "total_s": 3.0, "images_per_s": speed},
            "calibration": {"temperature": 1.1, "n_val": n, "n": n},
            "metrics": metrics,
        }  # fmt: skip
        write_json(run.record, record)
    info = {"name": "sweep", "purpose": "Which one?", "runs": names}
    write_json(sweep.sweep, info if margin is None else {**info, "margin": margin})
    return sweep
