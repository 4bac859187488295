"""What pretrained weights are on this machine, what can be had, and under which licence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gellib.config.known_names import BACKBONE_ALIASES
from gellib.models.backbones.labsim_weights import has_shipped_weights
from gellib.models.backbones.sources import (
    PLUS,
    BackboneError,
    check_backbone,
    find_source,
)
from gellib.models.backbones.timm_source import PACKAGED
from gellib.models.backbones.weights import home_relative

COMMON = (*PACKAGED, "resnet18", "resnet50", "mobilenet_v3_large", "efficientnet_b0", "densenet121",
          "convnext_tiny", "vit_b_16", "vgg16")  # fmt: skip


@dataclass(frozen=True)
class WeightsState:
    """The weights of one backbone on this machine.

    `state` is `installed`, `cached`, `to be fetched`, `to be installed` or `none`; `place` is where
    they are or where they come from, `size_mb` is 0 where they are not here, `labsim` says whether
    gellib includes weights pretrained on simulated images.
    """

    name: str
    state: str
    data: str
    size_mb: float
    license: str
    place: str
    labsim: bool


def weights_states(names: Sequence[str] = ()) -> list[WeightsState]:
    """Look up the recommended weights of backbones, by default of common ones; asks no server.

    Raises
    ------
    BackboneError
        For an unknown name.
    """
    parts = (part.strip() for name in names or COMMON for part in name.split(PLUS))
    return [_state(name) for name in dict.fromkeys(parts)]


def _state(name: str) -> WeightsState:
    name = check_backbone(name)
    shown = next((alias for alias, own in BACKBONE_ALIASES.items() if own == name), name)
    labsim = has_shipped_weights(name)
    try:
        known = find_source(name).weights_file(name)
    except BackboneError as err:
        state = "to be installed" if name in PACKAGED else "none"
        return WeightsState(shown, state, "", 0.0, "", str(err), labsim)
    here = known.path.is_file()
    size = known.path.stat().st_size / 1e6 if here else 0.0
    state = ("cached" if known.url else "installed") if here else "to be fetched"
    place = (known.origin if not known.url else home_relative(known.path)) if here else known.url
    return WeightsState(shown, state, known.data, size, known.license, place, labsim)
