"""Write and read files of pretrained weights and their cards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from gellib import __version__
from gellib.base.files import atomic_path, write_text
from gellib.labsim.pretraining.recipe import RECIPES, PretrainError
from gellib.labsim.simulate import CLASSES
from gellib.models.backbones import Backbone, build_backbone, file_sha256
from gellib.models.backbones.labsim_weights import FACTS_KEY, pretrained_facts
from gellib.models.backbones.network_parts import last_linear
from gellib.models.heads import Head, build_head

_SCHEMA = 1
# Squares of small numbers, which half precision would lose.
_FULL_PRECISION = ("running_var", "running_mean")


def write_weights(path: Path, network: nn.Module, name: str) -> None:
    """Write a network with its class head in half precision, completely or not at all.

    Raises
    ------
    PretrainError
        If a weight is not finite.
    """
    state = {}
    for key, tensor in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        tensor = tensor.float() if key.endswith(_FULL_PRECISION) else tensor.half()
        if not torch.isfinite(tensor).all():
            raise PretrainError(f"{name}: {key} is not finite; another seed may do better")
        state[key] = tensor.contiguous()
    facts = {
        "backbone": name,
        "classes": CLASSES,
        "classifier": last_linear(network)[0],
        "pooled": name.startswith("vgg"),
    }
    card_file(path).unlink(missing_ok=True)  # the card of the file that is replaced
    with atomic_path(path) as partial:
        save_file(state, partial, metadata={FACTS_KEY: json.dumps(facts)})


def write_card(path: Path, name: str, made: dict[str, Any]) -> None:
    """Write the card of a file: its contents, then how it was made, as `made` says."""
    card = {
        "schema": _SCHEMA,
        "backbone": name,
        "sha256": file_sha256(path),
        "bytes": path.stat().st_size,
        "gellib": __version__,
        "torch": torch.__version__,
        **made,
        "classes": CLASSES,
    }
    write_text(card_file(path), json.dumps(card, indent=1, allow_nan=False) + "\n")


def card_file(path: str | Path) -> Path:
    """Return the path of the card of a file of weights."""
    return Path(path).with_suffix(".json")


def read_card(path: str | Path) -> dict[str, Any]:
    """Read the card of a file of weights.

    Raises
    ------
    PretrainError
        If it has none.
    """
    try:
        return json.loads(card_file(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PretrainError(
            f"{path} has no card: expected {card_file(path).name} beside it, as gellib pretrain "
            "writes it last"
        ) from None


def load_class_model(path: str | Path) -> tuple[Backbone, Head, dict[str, bool]]:
    """Load a file as backbone, class head and classes, in eval mode.

    Raises
    ------
    PretrainError
        If `gellib pretrain` did not write the file.
    """
    facts = pretrained_facts(path)
    if facts is None or facts["backbone"] not in RECIPES:
        raise PretrainError(
            f"{path}: got no weights with a class head; expected a file of gellib pretrain"
        )
    backbone = build_backbone(facts["backbone"], weights=str(path))
    state = load_file(path)
    weight, bias = (state[f"{facts['classifier']}.{kind}"].float() for kind in ("weight", "bias"))
    head = build_head("single", backbone.dim, len(weight), seed=0)
    head.load_state_dict({"0.weight": weight, "0.bias": bias})
    return backbone, head.eval(), facts["classes"]
