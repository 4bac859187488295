"""Runs of a sweep that cannot be done on this machine or cluster: on record as skipped."""

from __future__ import annotations

from gellib.base.text import join_some
from gellib.config import RunConfig
from gellib.runs import RunFolder, SweepFolder
from gellib.sweeps.machine import NO_WEIGHTS, Machine
from gellib.sweeps.progress import Progress


def skip_impossible(
    folder: SweepFolder,
    todo: dict[str, RunConfig],
    machine: Machine,
    missing: dict[str, str],
    progress: Progress,
) -> dict[str, RunConfig]:
    """Put runs on record as skipped that lack a device or weights; return the others.

    Parameters
    ----------
    folder
        Where the sweep's results go.
    todo
        The runs that are not done, by name.
    machine
        What was found here.
    missing
        By hardware type, why it is not there, here or on the cluster.
    progress
        Gets a line for each reason.
    """
    ready, skipped = {}, dict[str, list[RunConfig]]()
    for name, config in todo.items():
        if reason := machine.reason_to_skip(config, missing):
            run = RunFolder(folder.path / name)
            run.clear()
            run.write_outcome(config, "skipped", reason)
            skipped.setdefault(reason, []).append(config)
        else:
            ready[name] = config
    for reason, configs in _in_few_lines(skipped).items():
        progress.skipped(len(configs), reason)
    return ready


def _in_few_lines(skipped: dict[str, list[RunConfig]]) -> dict[str, list[RunConfig]]:
    """Join the reasons of networks without weights; each of them names its network."""
    apart = {reason: own for reason, own in skipped.items() if reason.startswith(NO_WEIGHTS)}
    if len(apart) < 2:
        return skipped
    configs = [config for own in apart.values() for config in own]
    networks = list(dict.fromkeys(config.pretrained_model for config in configs))
    line = f"{NO_WEIGHTS} for {join_some(networks, 3)}; gellib weights lists what can be had"
    return {line: configs} | {reason: own for reason, own in skipped.items() if reason not in apart}
