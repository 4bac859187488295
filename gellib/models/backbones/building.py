"""Build a backbone from its name: network, weights, and first convolution for grey images."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from gellib.base.seeding import SkipInitialisation, isolated_rng
from gellib.models.backbones.adapters import INPUT_ADAPTERS, adapt_first_convolution
from gellib.models.backbones.backbone import Backbone
from gellib.models.backbones.hashes import state_sha256
from gellib.models.backbones.joined import JoinedNetwork, join_weights, resolve_joined
from gellib.models.backbones.labsim_weights import pool_features, pretrained_facts, shipped_weights
from gellib.models.backbones.loading import load_weights
from gellib.models.backbones.network_parts import remove_classifier
from gellib.models.backbones.preprocessing import preprocessing_for
from gellib.models.backbones.sources import (
    PLUS,
    BackboneError,
    check_backbone,
    find_source,
)
from gellib.models.backbones.weights import (
    WeightsInfo,
    resolve_weights,
    weights_path,
    weights_request,
)


def build_backbone(
    name: str,
    *,
    weights: str | WeightsInfo = "auto",
    input_adapter: str = "replicate",
    image_size: int = 224,
    color: str = "grey",
    contrast: str = "none",
    seed: int = 0,
    progress: bool = True,
) -> Backbone:
    """Build a frozen backbone in eval mode: a network up to its last linear layer.

    Parameters
    ----------
    name
        Torchvision's name of the network, an alias, or `timm/<name>`; or several of them, joined by
        `+`: the backbone then has the features of all, side by side.
    weights
        As for `resolve_weights`, or what that returned.
    input_adapter
        How the first convolution takes grey images. `replicate` gives it three equal channels.
        `sum` sums its weights over the colours, which gives the same features except at the
        zero-padded border. `reinit` replaces it by a new, trainable convolution for one channel.
    image_size
        Side of the input in pixels.
    color
        How images are read: `grey` or `rgb`.
    contrast
        `stretch`, or `none` to leave the contrast as it is.
    seed
        Seed of random weights.
    progress
        Whether to show a progress bar while weights are downloaded.

    Raises
    ------
    BackboneError
        For unknown names, and for weights that are not available or do not fit.
    """
    name = check_backbone(name)
    if PLUS in name:
        options: dict[str, Any] = {"image_size": image_size, "color": color, "contrast": contrast}
        return _build_joined(name, weights, input_adapter, seed, progress, options)
    if input_adapter not in INPUT_ADAPTERS:
        raise BackboneError(
            f"input_adapter: got {input_adapter!r}, expected one of {', '.join(INPUT_ADAPTERS)}"
        )
    preprocessing = preprocessing_for(
        name, image_size=image_size, color=color, input_adapter=input_adapter, contrast=contrast
    )
    info = (
        resolve_weights(name, weights, progress=progress) if isinstance(weights, str) else weights
    )
    # No random weights where a file replaces them all, which `load_weights` checks.
    initialisation = nullcontext() if info.name == "none" else SkipInitialisation()
    with isolated_rng(seed, "network", name), initialisation:
        network = find_source(name).make_network(name, image_size)
    if info.name != "none":
        file = shipped_weights(name) if info.name == "labsim" else weights_path(name, info)
        if (pretrained_facts(file) or {}).get("pooled"):
            pool_features(network)
        load_weights(network, file, name)
    dim = remove_classifier(network)
    if info.name == "none":
        info = replace(info, source=f"seed {seed}", sha256=state_sha256(network.state_dict()))
    if input_adapter != "replicate":
        adapt_first_convolution(network, name, input_adapter, preprocessing, seed)
    return Backbone(
        network,
        name=name,
        dim=dim,
        weights=info,
        preprocessing=preprocessing,
        input_adapter=input_adapter,
        seed=seed,
    )


def _build_joined(
    name: str,
    weights: str | WeightsInfo,
    input_adapter: str,
    seed: int,
    progress: bool,
    options: dict[str, Any],
) -> Backbone:
    """Build a backbone whose features are those of several; all take the first one's views."""
    if input_adapter == "reinit":
        raise BackboneError(
            f"input_adapter: got 'reinit' for {name}, whose backbones stay frozen; expected "
            "replicate or sum"
        )
    asked = weights if isinstance(weights, str) else weights_request(name, weights)
    parts = [
        build_backbone(
            part, weights=info, input_adapter=input_adapter, seed=seed, progress=progress, **options
        )
        for part, info in zip(
            name.split(PLUS), resolve_joined(name, asked, progress=progress), strict=True
        )
    ]
    preprocessings = [part.preprocessing for part in parts]
    return Backbone(
        JoinedNetwork([part.network for part in parts], preprocessings).eval(),
        name=name,
        dim=sum(part.dim for part in parts),
        weights=join_weights([part.weights for part in parts]),
        preprocessing=preprocessings[0],
        input_adapter=input_adapter,
        seed=seed,
    )
