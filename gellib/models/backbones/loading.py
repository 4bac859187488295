"""Load weights from a file into a network, or explain why they do not fit."""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torchvision.models.vision_transformer import interpolate_embeddings

from gellib.base.text import join_some
from gellib.models.backbones.network_parts import classifier_names
from gellib.models.backbones.sources import find_source
from gellib.models.backbones.weights import WeightsError

_POSITIONS = "encoder.pos_embedding"
_AUXILIARY_CLASSIFIERS = ("AuxLogits.", "aux1.", "aux2.")  # of inception_v3 and googlenet
# Old checkpoints of DenseNet write `norm.1` where torchvision now has `norm1`.
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")


def load_weights(network: nn.Module, path: str | Path, name: str = "") -> None:
    """Load a `.safetensors` file or a state dict into a network, except for its classifier.

    The position embeddings of a vision transformer are interpolated if its input has another size.
    State dicts are read with `weights_only=True`, so that no code in the file can run. `name` is
    that of the backbone, whose source knows how its tensors are called.

    Raises
    ------
    WeightsError
        For a file of another kind, and for tensors that do not fit the network.
    """
    path = Path(path).expanduser()
    state = _read(path)
    source = find_source(name)
    classifier = tuple(f"{layer}." for layer in classifier_names(network))
    expected = network.state_dict()
    loaded: dict[str, torch.Tensor] = {}
    for key, tensor in source.convert_state(name, state).items():
        key = _OLD_DENSENET.sub(r"\1\2", key.removeprefix("module."))
        if not key.startswith((*classifier, *_AUXILIARY_CLASSIFIERS)):
            loaded[key] = tensor
    loaded = _fit_positions(loaded, expected)
    # The classifier is replaced, and the number of batches is used only to update statistics.
    missing = [
        key
        for key in expected
        if key not in loaded
        and not key.startswith(classifier)
        and not key.endswith("num_batches_tracked")
    ]
    unexpected = [n for n in loaded if n not in expected]
    shapes = [
        f"{n} {tuple(loaded[n].shape)} instead of {tuple(expected[n].shape)}"
        for n in loaded
        if n in expected and loaded[n].shape != expected[n].shape
    ]
    problems = [
        f"{len(names)} {problem}: {join_some(names, 4)}"
        for problem, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", shapes),
        )
        if names
    ]
    if problems:
        raise WeightsError(
            f"weights: {path} does not fit {type(network).__name__}; {'; '.join(problems)}. "
            f"Expected the state dict of the model of that name of {source.title}"
        )
    with torch.no_grad():
        for name, tensor in loaded.items():
            expected[name].copy_(tensor)  # shares its memory with the network's tensor


def _fit_positions(
    loaded: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Interpolate a vision transformer's position embeddings to another grid of patches."""
    old, new = loaded.get(_POSITIONS), expected.get(_POSITIONS)
    if old is None or new is None or old.ndim != 3 or old.shape[::2] != new.shape[::2]:
        return loaded
    grids = math.isqrt(old.shape[1] - 1), math.isqrt(new.shape[1] - 1)
    square = (grids[0] ** 2 + 1, grids[1] ** 2 + 1) == (old.shape[1], new.shape[1])
    if grids[0] == grids[1] or not square:
        return loaded
    fitted = interpolate_embeddings(grids[1], 1, {_POSITIONS: old})[_POSITIONS]
    return loaded | {_POSITIONS: fitted}


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError, ValueError) as err:
        reason = str(err).strip().split("\n")[0]
        raise WeightsError(
            f"weights: {path} cannot be read as a plain state dict ({reason}); files that contain "
            "more than tensors are refused because they could run code. Save "
            "`model.state_dict()`, preferably as .safetensors"
        ) from err
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise WeightsError(
            f"weights: {path} contains no state dict; expected tensors by name, as saved from "
            "`model.state_dict()`"
        )
    return state
