"""The machine and versions of a run: versions, device, threads, precision, commit."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from gellib import __version__
from gellib.base.paths import PROJECT_ROOT

# By the key in a record, the distributions that results depend on beside torch.
_LIBRARIES = {
    "torchvision": "torchvision",
    "timm": "timm",
    "scikit_learn": "scikit-learn",
    "numpy": "numpy",
    "scipy": "scipy",
    "pillow": "pillow",
}


def environment(device: torch.device, precision: str) -> dict[str, Any]:
    """Describe what a run ran on: versions, device, threads, precision, commit."""
    return {
        "python": platform.python_version(),
        "gellib": __version__,
        "torch": torch.__version__,
        **{key: _version(name) for key, name in _LIBRARIES.items()},
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "precision": precision,
        "git_commit": git_commit(),
    }


def _version(name: str) -> str:
    """Return the version of an installed distribution; empty where it has no metadata."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def device_name(device: torch.device) -> str:
    """Name a device as people do."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple MPS"
    return f"CPU, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"


def git_commit() -> str:
    """Return the commit of the code that runs, with `+` where it was changed; empty outside git."""
    git = shutil.which("git")
    if git is None or not (PROJECT_ROOT / ".git").exists():
        return ""
    command = [git, "-C", str(PROJECT_ROOT), "describe", "--always", "--dirty=+", "--abbrev=12"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return done.stdout.strip()
