"""A network of torchvision as a frozen feature extractor, for grey or colour images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import nn

from gellib.base.seeding import SkipInitialisation, isolated_rng
from gellib.models.backbones.adapters import INPUT_ADAPTERS, adapt_first_convolution
from gellib.models.backbones.architectures import (
    BackboneError,
    batch_norms,
    check_backbone,
    last_linear,
    make_network,
    replace_layer,
)
from gellib.models.backbones.devices import exact_arithmetic, fast_copy, resolve_precision
from gellib.models.backbones.labsim import pool_features, pretrained_facts, shipped_weights
from gellib.models.backbones.loading import load_weights
from gellib.models.backbones.preprocessing import Preprocessing, normalise, preprocessing_for
from gellib.models.backbones.weights import WeightsInfo, resolve_weights, state_sha256


class Backbone(nn.Module):
    """A network up to its last linear layer: images (N, 1 or 3, H, W) -> features (N, dim).

    All of it is frozen and stays in eval mode, but for the layers that `unfreeze` names and the
    first convolution of the adapter `reinit`. `weights` and `preprocessing` say where it comes
    from and what it expects.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        dim: int,
        weights: WeightsInfo,
        preprocessing: Preprocessing,
        input_adapter: str,
        seed: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.name = name
        self.dim = dim
        self.weights = weights
        self.preprocessing = preprocessing
        self.input_adapter = input_adapter
        self.seed = seed
        self.calibrated = False
        self.trained: tuple[str, ...] = ()
        self._extractors: dict[tuple[str, str], tuple[tuple, nn.Module]] = {}
        self.requires_grad_(False)
        if input_adapter == "reinit":
            self.adapter_layer().requires_grad_(True)
        self.eval()

    @property
    def frozen(self) -> bool:
        """Whether nothing in it is trained, so that features can be computed once."""
        return self.input_adapter != "reinit" and not self.trained

    def unfreeze(self, layers: Sequence[str]) -> None:
        """Train these layers of the network from now on, as `trained_layers` names them."""
        self.trained = tuple(layers)
        for name in layers:
            for parameter in self.network.get_submodule(name).parameters(recurse=False):
                parameter.requires_grad_(True)

    @property
    def needs_calibration(self) -> bool:
        """Whether its batch norms still hold the statistics of no data at all."""
        return self.weights.name == "none" and not self.calibrated and bool(self.batch_norms())

    def train(self, mode: bool = True) -> Backbone:
        """Put the trained layers, and what stands behind the first of them, into training mode.

        What is frozen stays in eval mode: its dropout and batch norms are inert.
        """
        super().train(False)
        if mode and self.trained:
            names = [name for name, _ in self.network.named_modules()]
            for name in names[names.index(self.trained[0]) :]:
                self.network.get_submodule(name).training = True
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute features (N, dim) of normalised images (N, 1 or 3, H, W)."""
        channels = len(self.preprocessing.mean)
        if images.shape[1] == 1 and channels == 3:
            images = images.expand(-1, 3, -1, -1)
        return self.network(images).flatten(1)

    def batch_norms(self) -> dict[str, nn.Module]:
        """Its batch normalisations with running statistics, by name."""
        return batch_norms(self.network)

    def adapter_layer(self) -> nn.Conv2d:
        """The first convolution, which an input adapter replaces."""
        return next(layer for layer in self.network.modules() if isinstance(layer, nn.Conv2d))

    def own_state(self) -> dict[str, torch.Tensor]:
        """What its weights and seed do not give: calibrated statistics, trained layers."""
        state = {}
        for name in self.trained:
            layer = self.network.get_submodule(name)
            own = [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]
            state |= {f"{name}.{key}".lstrip("."): value for key, value in own}
        if self.calibrated:
            for name, layer in self.batch_norms().items():
                state[f"{name}.running_mean"] = layer.running_mean
                state[f"{name}.running_var"] = layer.running_var
        if self.input_adapter == "reinit":
            for name, value in self.adapter_layer().state_dict().items():
                state[f"first_convolution.{name}"] = value
        return state

    def load_own_state(self, state: dict[str, torch.Tensor]) -> None:
        """Put back what `own_state` gave."""
        statistics = {n for n in state if n.endswith((".running_mean", ".running_var"))}
        self.calibrated = self.weights.name == "none" and bool(statistics)
        mine = self.own_state()
        if set(mine) != set(state):
            raise BackboneError(f"state of another backbone than {self.name}")
        with torch.no_grad():
            for name, value in state.items():
                mine[name].copy_(value)

    def identity(self) -> str:
        """Compute 32 hex digits that are equal only for backbones that give the same features."""
        facts = {
            "name": self.name,
            "weights": self.weights.sha256,
            "adapter": self.input_adapter,
            "preprocessing": self.preprocessing.to_dict(),
            "own": state_sha256(self.own_state()),
        }
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def extract(
        self, images: torch.Tensor, *, precision: str = "auto", device: torch.device | str = "cpu"
    ) -> torch.Tensor:
        """Compute features of uint8 images (N, 1 or 3, H, W), fast: (N, dim) float32 on the CPU.

        Raises
        ------
        BackboneError
            When the precision is too small for the network, so that features are not finite.
        """
        device = torch.device(device)
        precision = resolve_precision(precision, device)
        network = self._extractor(precision, device)
        with torch.inference_mode(), exact_arithmetic():
            features = self._run(network, images, device).float().cpu()
        if not torch.isfinite(features).all():
            raise BackboneError(f"{self.name}: features are not finite in {precision}; use fp32")
        return features

    def _extractor(self, precision: str, device: torch.device) -> nn.Module:
        # Hashing all that is trained would take longer than the batch: torch counts the changes.
        state = tuple((t.data_ptr(), t._version) for t in self.own_state().values())
        key = (precision, str(device))
        known, network = self._extractors.get(key, (None, None))
        if known != state or network is None:
            network = fast_copy(self.network, precision, device)
            self._extractors = {key: (state, network)}  # one at a time: VGG's take 0.5 GB
        return network

    def _run(self, network: nn.Module, images: torch.Tensor, device: torch.device) -> torch.Tensor:
        dtype = next(network.parameters()).dtype
        batch = normalise(images.to(device), self.preprocessing).to(dtype)
        return network(batch.contiguous(memory_format=torch.channels_last)).flatten(1)


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
    """Build the frozen extractor: everything up to the last linear layer, in eval mode.

    `weights` is as for `resolve_weights`, or what that returned. `input_adapter` says how grey
    reaches the first convolution: `replicate` gives it three equal channels; `sum` sums its
    weights over colour, which is the same but at the zero-padded border; `reinit` puts a new,
    trainable convolution for one channel there.

    Raises
    ------
    BackboneError
        For unknown names, and weights that cannot be had or do not fit.
    """
    name = check_backbone(name)
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
    # What is loaded next needs no random numbers; that all of it is there, `load_weights` checks.
    draws = nullcontext() if info.name == "none" else SkipInitialisation()
    with isolated_rng(seed, "network", name), draws:
        network = make_network(name, image_size)
    if info.name != "none":
        file = shipped_weights(name) if info.name == "labsim" else info.source
        if (pretrained_facts(file) or {}).get("pooled"):
            pool_features(network)
        load_weights(network, file)
    classifier, linear = last_linear(network)
    replace_layer(network, classifier, nn.Identity())
    if info.name == "none":
        info = replace(info, source=f"seed {seed}", sha256=state_sha256(network.state_dict()))
    if input_adapter != "replicate":
        adapt_first_convolution(network, name, input_adapter, preprocessing, seed)
    return Backbone(
        network,
        name=name,
        dim=linear.in_features,
        weights=info,
        preprocessing=preprocessing,
        input_adapter=input_adapter,
        seed=seed,
    )
