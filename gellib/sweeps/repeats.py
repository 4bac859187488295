"""What a sweep's runs have in common: not too many, none twice, all evaluated in one way."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from gellib.config import OUTPUT_FIELDS, RunConfig
from gellib.sweeps.sweep_file import SweepFile, SweepInputError

ASK_FROM = 10_000  # runs: a day or more of a fast machine


class TooManyRunsError(SweepInputError):
    """A sweep has so many runs that one has to confirm it."""


def check_size(spec: SweepFile, overrides: dict[str, Any], path: Path) -> None:
    """Count the runs before they are expanded.

    Raises
    ------
    TooManyRunsError
        When there are more than `ASK_FROM`.
    """
    varied = [len(values) for name, values in spec.grid.items() if name not in overrides]
    seeds = len(spec.seeds) if "seed" not in overrides else 0
    runs = (math.prod(varied) + len(spec.runs)) * max(1, seeds) * max(1, spec.folds)
    if runs > ASK_FROM:
        raise TooManyRunsError(
            f"{path}: it has {runs:,} runs, more than {ASK_FROM:,}. Shorten `grid`, or confirm it "
            "by --yes"
        )


def share_evaluation(configs: dict[str, RunConfig]) -> dict[str, RunConfig]:
    """Evaluate all runs of a sweep in one way, so that their scores can be compared.

    Where some runs train layers of the network, which are evaluated by a holdout, `auto` means a
    holdout for all of them.
    """
    if len({config.evaluation_method for config in configs.values()}) < 2:
        return configs
    held_out = {"evaluation": "holdout"}
    return {
        name: config.model_copy(update=held_out) if config.evaluation == "auto" else config
        for name, config in configs.items()
    }


def check_same(configs: dict[str, RunConfig], path: Path) -> None:
    """Refuse runs that compute the same under two names.

    Raises
    ------
    SweepInputError
        Naming the first two.
    """
    seen: dict[str, str] = {}
    for name, config in configs.items():
        values = config.model_dump(exclude={"model_id", *OUTPUT_FIELDS})
        key = json.dumps(values, sort_keys=True)
        if key in seen:
            raise SweepInputError(
                f"{path}: {seen[key]} and {name} are the same run, which is no repeat; remove one, "
                "or vary `seeds`"
            )
        seen[key] = name
