"""Model files: safetensors with JSON metadata, and no code."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gellib.base.files import atomic_path
from gellib.models.backbones import (
    Backbone,
    Preprocessing,
    WeightsInfo,
    build_backbone,
    weights_request,
)
from gellib.models.heads import Head, build_head

_FORMAT = 1
_RESERVED = ("format", "backbone", "head")


class ModelError(ValueError):
    """A model file cannot be written or loaded; the message says why."""


def save_model(
    path: str | Path,
    head: Head,
    backbone: Backbone,
    metadata: dict[str, Any],
    tensors: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write the head, and the part of the backbone that its weights and seed do not determine.

    This part is the layers that were trained, the statistics of batch norms for the weights `none`,
    and the first convolution for the input adapter `reinit`. The file appears complete or not at
    all.

    Parameters
    ----------
    path
        The file.
    head, backbone
        The model.
    metadata
        Classes and other values to store with the model, as JSON has them.
    tensors
        Other tensors to store with the model; `load_tensors` reads them.

    Raises
    ------
    ModelError
        When `metadata` has a name that the format itself uses.
    """
    taken = set(metadata) & set(_RESERVED)
    if taken:
        raise ModelError(
            f"metadata: got {', '.join(sorted(taken))}, which the format itself uses; "
            "use other names"
        )
    facts = metadata | {
        "format": _FORMAT,
        "backbone": {
            "name": backbone.name,
            "dim": backbone.dim,
            "weights": asdict(backbone.weights),
            "input_adapter": backbone.input_adapter,
            "seed": backbone.seed,
            "trained": list(backbone.trained),
            "preprocessing": backbone.preprocessing.to_dict(),
        },
        "head": head.facts(),
    }
    state = {f"head.{name}": value for name, value in head.state_dict().items()}
    state |= {f"backbone.{name}": value for name, value in backbone.own_state().items()}
    state |= {f"more.{name}": value for name, value in (tensors or {}).items()}
    state = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    with atomic_path(Path(path)) as temporary:
        save_file(state, temporary, metadata={"gellib": json.dumps(facts)})


def load_model(path: str | Path) -> tuple[Backbone, Head, dict[str, Any]]:
    """Load a model: its backbone and head, both in eval mode, and its metadata.

    Raises
    ------
    ModelError
        For a file that is not a model of gellib, and when the weights of the backbone are not those
        that the model was trained with.
    BackboneError
        When the weights cannot be loaded.
    """
    facts, tensors = _read(Path(path))
    about = facts["backbone"]
    trained_with = WeightsInfo(**about["weights"])
    preprocessing = Preprocessing.from_dict(about["preprocessing"])
    name = trained_with.name
    backbone = build_backbone(
        about["name"],
        weights=weights_request(about["name"], trained_with),
        input_adapter=about["input_adapter"],
        image_size=preprocessing.image_size,
        color=preprocessing.color,
        seed=about["seed"],
    )
    if backbone.weights.sha256 != trained_with.sha256:
        raise ModelError(
            f"{path}: the model was trained with weights of sha256 {trained_with.sha256[:12]}... "
            f"({trained_with.source}), but {backbone.weights.source} now has sha256 "
            f"{backbone.weights.sha256[:12]}...; {_remedy(name)}"
        )
    backbone.weights = trained_with
    backbone.preprocessing = preprocessing
    backbone.unfreeze(about.get("trained", ()))
    backbone.load_own_state(_under("backbone.", tensors))
    wanted, classes = facts["head"], facts.get("classes")
    if wanted["in_features"] != backbone.dim or (
        classes is not None and wanted["n_classes"] != len(classes)
    ):
        # Before anything of that size is made.
        raise ModelError(f"{path}: the model is damaged: its head does not fit backbone or classes")
    head = build_head(seed=0, **wanted)
    head.load_state_dict(_under("head.", tensors))
    return backbone, head.eval(), facts


def load_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """Load the tensors that `save_model` stored with a model.

    Raises
    ------
    ModelError
        For a file that is not a model of gellib.
    """
    return _under("more.", _read(Path(path))[1])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("gellib", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, RecursionError) as err:
        raise ModelError(f"{path}: not a model of gellib ({err})") from err
    if not isinstance(facts, dict) or not isinstance(facts.get("format"), (int, type(None))):
        raise ModelError(f"{path}: not a model of gellib (its description is no such one)")
    if facts.get("format") != _FORMAT:
        raise ModelError(
            f"{path}: not a model of gellib of format {_FORMAT} (got {facts.get('format')!r})"
        )
    return facts, tensors


def _under(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}


def _remedy(name: str) -> str:
    if name == "none":
        return "this torch or processor draws other random weights: train the model again here"
    if name == "labsim":
        return (
            "the weights that come with gellib have changed since: train the model again, or "
            "install the version of gellib that it was trained with"
        )
    return "put the original file there, or train the model again"
