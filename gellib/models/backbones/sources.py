"""Where networks come from: torchvision, timm, and packages that install weights.

A name without a prefix is torchvision's, or that of a network with packaged weights; `timm/<name>`
is timm's. Each source knows how to build its networks, what their input is, and where their
pretrained weights are.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gellib.base.text import did_you_mean
from gellib.base.without_compiler import without_compiler
from gellib.config.known_names import BACKBONE_ALIASES

# The first import of torchvision in the package.
with without_compiler():
    import torchvision
    from torchvision.models import get_model, get_model_weights, list_models

TIMM = "timm/"
PLUS = "+"  # between the names of backbones whose features are joined
# These are trained with an auxiliary classifier and would normalise their input themselves.
_WITH_AUXILIARY_CLASSIFIER = ("googlenet", "inception_v3")
_NO_LINEAR_LAYER = ("squeezenet1_0", "squeezenet1_1")


class BackboneError(ValueError):
    """A backbone, its weights or its input do not fit; the message says what to do."""


@dataclass(frozen=True)
class InputFacts:
    """What a network expects of an image.

    `image_size` is the side that it was trained with, in pixels; `resize_size` is what the shorter
    side of an image is resized to before the centre is cropped; `mean` and `std` are per colour
    channel, for values in 0..1.
    """

    image_size: int
    resize_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"


@dataclass(frozen=True)
class WeightsFile:
    """Pretrained weights that a source offers.

    `data` names what they were trained on, such as `imagenet`; `license` is the licence's short
    name, empty where the source does not say; `url` is empty where they are only installed.
    `sha256` is the whole hash, the first digits of it, or empty where it is not known beforehand.
    `origin` says what offers them, such as the package.
    """

    path: Path
    data: str = "imagenet"
    url: str = ""
    sha256: str = ""
    license: str = ""
    origin: str = ""


class Source(ABC):
    """One collection of networks."""

    title: str

    @abstractmethod
    def make_network(self, name: str, image_size: int) -> nn.Module:
        """Build a network, classifier included, with random weights.

        Raises
        ------
        BackboneError
            When the network does not accept images of `image_size` pixels.
        """

    @abstractmethod
    def input_facts(self, name: str) -> InputFacts:
        """Return what a network expects of an image."""

    @abstractmethod
    def weights_file(self, name: str) -> WeightsFile:
        """Say where the recommended pretrained weights of a network are, or would be.

        Raises
        ------
        BackboneError
            When the source has none.
        """

    def convert_state(self, name: str, state: dict[str, Any]) -> dict[str, Any]:
        """Give the tensors of a weights file the names that the network has for them."""
        return state


class TorchvisionSource(Source):
    """Torchvision's classifiers."""

    title = "torchvision"

    def make_network(self, name: str, image_size: int) -> nn.Module:
        """Build a network of torchvision, with its random weights."""
        options: dict[str, Any] = {}
        if name in _WITH_AUXILIARY_CLASSIFIER:
            options = {"aux_logits": False, "init_weights": False, "transform_input": False}
        elif name.startswith("vit_"):
            options = {"image_size": image_size}
        elif name.startswith("maxvit_"):
            options = {"input_size": (image_size, image_size)}
        try:
            return get_model(name, weights=None, **options).eval()
        except (ValueError, RuntimeError, AssertionError) as err:  # as `torch._assert` raises it
            if not options:
                raise
            raise BackboneError(
                f"image_size: got {image_size}, which {name} does not accept ({err}); 224 works"
            ) from err

    def input_facts(self, name: str) -> InputFacts:
        """Return what the transforms of the recommended weights do."""
        transforms = get_model_weights(name).DEFAULT.transforms()
        mean, std = tuple(transforms.mean), tuple(transforms.std)
        if (
            name in _WITH_AUXILIARY_CLASSIFIER
        ):  # what their `transform_input` turns torchvision's into
            mean = std = (0.5, 0.5, 0.5)
        return InputFacts(
            transforms.crop_size[0],
            transforms.resize_size[0],
            mean,
            std,
            str(transforms.interpolation.value),
        )

    def weights_file(self, name: str) -> WeightsFile:
        """Return torch's checkpoint cache as the place, and the first digits of the hash."""
        url = get_model_weights(name).DEFAULT.url
        path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
        match = re.search(r"-([a-f0-9]{8,})\.", path.name)
        return WeightsFile(
            path, url=url, sha256=match.group(1) if match else "", license="BSD-3-Clause"
        )


@cache
def _torchvision_names() -> tuple[str, ...]:
    names = list_models(module=torchvision.models)
    return tuple(name for name in names if name not in _NO_LINEAR_LAYER)


@cache
def _sources() -> Mapping[str, Source]:
    # Only here: it needs `Source`.
    from gellib.models.backbones.timm_source import PACKAGED, PackagedSource, TimmSource

    return {
        "torchvision": TorchvisionSource(),
        "timm": TimmSource(),
        **dict.fromkeys(PACKAGED, PackagedSource()),
    }


def find_source(name: str) -> Source:
    """Return the source of a checked name; of several joined ones, that of the first."""
    name = name.split(PLUS)[0]
    if name.startswith(TIMM):
        return _sources()["timm"]
    return _sources().get(name) or _sources()["torchvision"]


def list_backbones() -> list[str]:
    """List the names without a prefix that `build_backbone` accepts, the aliases first.

    `timm/<name>` is accepted too, for each name that `timm.list_models()` lists.
    """
    from gellib.models.backbones.timm_source import PACKAGED

    return [*BACKBONE_ALIASES, *PACKAGED, *_torchvision_names()]


def check_backbone(name: str) -> str:
    """Check the name of a backbone and replace an alias by the source's name.

    As in torchvision, `vgg11` has no batch normalisation; `vgg11_bn` has it. Names joined by `+`
    are checked one by one.

    Raises
    ------
    BackboneError
        For an unknown name, with the nearest known one.
    """
    if PLUS in name:
        return check_joined_names(name)
    if name.startswith(TIMM):
        from gellib.models.backbones.timm_source import check_timm_name

        return check_timm_name(name)
    known = list_backbones()
    if name in _NO_LINEAR_LAYER:
        raise BackboneError(
            f"pretrained_model: {name!r} has no linear layer, so its features cannot be separated "
            "from its classifier; choose another backbone, such as 'resnet18'"
        )
    if name not in known:
        hint = did_you_mean(name, known)
        raise BackboneError(
            f"pretrained_model: got {name!r}, which is not a classification model of torchvision: "
            f"{hint}Common ones: resnet18, vgg16, mobilenet-v3, efficientnet-lite0, densenet121, "
            "efficientnet_b0, vit_b_16; all: gellib.models.backbones.list_backbones(); "
            "those of timm: timm/<name>"
        )
    return BACKBONE_ALIASES.get(name, name)


def check_joined_names(name: str) -> str:
    """Check names that are joined by `+`, and replace their aliases.

    Raises
    ------
    BackboneError
        For an unknown or empty name, and for one that stands there twice.
    """
    parts = [part.strip() for part in name.split(PLUS)]
    if "" in parts:
        raise BackboneError(
            f"pretrained_model: got {name!r}; expected names of backbones around each {PLUS!r}, "
            "such as resnet18+efficientnet-lite0"
        )
    checked = [check_backbone(part) for part in parts]
    if len(set(checked)) < len(checked):
        raise BackboneError(
            f"pretrained_model: got {name!r}, which names a backbone twice; name each once"
        )
    return PLUS.join(checked)
