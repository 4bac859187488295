"""The features that a sweep's runs share, computed before them with all cores."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from gellib import kernels
from gellib.config import OUTPUT_FIELDS, RunConfig, find_path
from gellib.runs import write_json

# What only the head and its training depend on.
_HEAD_FIELDS = {
    "model_id",
    "classifier_head",
    "dropout",
    "opt_alg",
    "lbfgs_c",
    "learning_rate",
    "batch_size",
    "momentum",
    "nesterov",
    "weight_decay",
    "schedule",
    "label_smoothing",
    "imbalance",
    "clip_value",
    "clip_norm",
    "monitor",
    "patience",
    "unfreeze_learning_rate",
    "layer_decay",
}


def feature_key(config: RunConfig, fingerprint: str, weights: dict[str, Any]) -> str:
    """Compute 32 hex digits that are equal for runs that need the same features."""
    needed = config.model_dump(exclude=_HEAD_FIELDS | set(OUTPUT_FIELDS))
    needed["augmentation"] = config.augmentation if config.draws_views else "none"
    facts = [needed, fingerprint, weights.get("name"), weights.get("sha256")]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def has_shared_features(config: RunConfig) -> bool:
    """Whether the network is frozen for a while, so that there are features to share."""
    return config.head_epochs > 0


def are_ready(config: RunConfig, key: str) -> bool:
    """Whether these features were computed before and their files are still there.

    A hint that saves a look: a run checks its files itself, and makes again what is damaged.
    """
    note = _note(config, key)
    try:
        files = json.loads(note.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return False
    return all((note.parent / name).is_file() for name in files)


def prepare_features(
    config: RunConfig, key: str, threads: int, limit_s: float | None = None
) -> dict[str, Any]:
    """Compute features in a fork, and note that they are there.

    Returns what `extract_features` does; where that fails, only the `problem`: the runs will meet
    it themselves, and put it on record.
    """
    try:
        made = kernels.call(
            "gellib.sweeps.prepare:extract_features", config, threads, limit_s=limit_s
        )
    except Exception as err:
        return {"problem": f"{type(err).__name__}: {err}"}
    write_json(_note(config, key), made)
    return made


def _note(config: RunConfig, key: str) -> Path:
    folder = Path(config.cache_dir) if config.cache_dir else find_path("runs/.cache")
    return folder / f"ready-{key}.json"
