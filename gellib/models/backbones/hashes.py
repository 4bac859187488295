"""The sha256 of weights, of a file or of tensors."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

_CHUNK = 1 << 20


def file_sha256(path: Path) -> str:
    """Compute the sha256 of a file, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def state_sha256(state: dict[str, Any]) -> str:
    """Compute the sha256 of a state dict: names, shapes, types and values, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        # As bytes, because numpy has no bfloat16.
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
