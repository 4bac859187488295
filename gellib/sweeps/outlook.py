"""What a sweep is about to do, said before anything slow is imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gellib.runs import RunFolder
from gellib.sweeps.spec import Sweep

_GPU_DEVICES = ("nvidia*", "nvhost*", "nvmap", "kfd", "dxg")  # NVIDIA, Jetson, AMD, WSL


def describe_work(sweep: Sweep, *, fresh: bool = False, scheduler: str | None = None) -> str:
    """Say in one line how many runs there are, are done, are to do and cannot be done here.

    Parameters
    ----------
    sweep
        The sweep, as `load_sweep` returns it.
    fresh
        Whether earlier results will be deleted.
    scheduler
        Address of a Dask scheduler, whose workers may have GPUs that are not here.
    """
    done, gpu = 0, 0
    for name, config in sweep.configs.items():
        run = RunFolder(sweep.folder / name)
        if not fresh and run.notebook.exists() and run.is_done(config):
            done += 1
        elif config.hardware_type == "gpu":
            gpu += 1
    total = len(sweep.configs)
    skipped = gpu if scheduler is None and not may_have_gpu() else 0
    parts = [f"{done} done before"] if done else []
    parts.append(f"{total - done - skipped} to do")
    if skipped:
        words = "needs a GPU and is skipped" if skipped == 1 else "need a GPU and are skipped"
        parts.append(f"{skipped} {words}")
    elif gpu:
        parts[-1] += f" ({gpu} of them on a GPU)"
    return f"{total} run{'s' if total > 1 else ''}: {', '.join(parts)}"


def may_have_gpu() -> bool:
    """Whether this machine may have a GPU: where it is False it has none, known without torch."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return sys.platform == "darwin"
    if sys.platform != "linux":
        return True
    return any(next(Path("/dev").glob(pattern), None) for pattern in _GPU_DEVICES)
