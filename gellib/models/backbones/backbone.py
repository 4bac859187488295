"""A backbone: a network as a frozen feature extractor for grey or colour images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import torch
from torch import nn

from gellib.base.text import join_some
from gellib.models.backbones.devices import exact_arithmetic, fast_copy, resolve_precision
from gellib.models.backbones.hashes import state_sha256
from gellib.models.backbones.network_parts import (
    BatchNorm,
    batch_norms,
    running_statistics,
)
from gellib.models.backbones.preprocessing import Preprocessing, normalise
from gellib.models.backbones.sources import BackboneError
from gellib.models.backbones.weights import WeightsInfo


class Backbone(nn.Module):
    """A network up to its last linear layer: images (N, 1 or 3, H, W) -> features (N, dim).

    It is frozen and stays in eval mode, except for the layers given to `unfreeze` and the first
    convolution of the adapter `reinit`.

    Parameters
    ----------
    network
        The network, with its classifier replaced by the identity or removed.
    name
        Name of the network in its source: torchvision's, or `timm/<name>`.
    dim
        Number of features per image.
    weights
        Where its weights come from.
    preprocessing
        How an image becomes its input.
    input_adapter
        How its first convolution takes grey images: one of `INPUT_ADAPTERS`.
    seed
        Seed of its random weights.
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
        """Whether none of it is trained, so that features need to be computed only once."""
        return self.input_adapter != "reinit" and not self.trained

    def unfreeze(self, layers: Sequence[str]) -> None:
        """Make these layers of the network trainable, by their names as in `trained_layers`."""
        self.trained = tuple(layers)
        for name in layers:
            for parameter in self.network.get_submodule(name).parameters(recurse=False):
                parameter.requires_grad_(True)

    @property
    def needs_calibration(self) -> bool:
        """Whether its batch norms still have their initial statistics, which come from no data."""
        return self.weights.name == "none" and not self.calibrated and bool(self.batch_norms())

    def train(self, mode: bool = True) -> Backbone:
        """Set training mode for the first trained layer and all layers after it.

        The frozen layers before it stay in eval mode: their dropout does nothing, and their batch
        norms keep their statistics.
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

    def batch_norms(self) -> dict[str, BatchNorm]:
        """Return its batch normalisations with running statistics, by name."""
        return batch_norms(self.network)

    def adapter_layer(self) -> nn.Conv2d:
        """Return the first convolution, which an input adapter replaces."""
        return next(layer for layer in self.network.modules() if isinstance(layer, nn.Conv2d))

    def own_state(self) -> dict[str, torch.Tensor]:
        """Return the tensors that do not follow from its weights and seed, by name.

        These are calibrated statistics, trained layers, and the convolution of `reinit`.
        """
        state: dict[str, torch.Tensor] = {}
        for name in self.trained:
            layer = self.network.get_submodule(name)
            own = [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]
            state |= {f"{name}.{key}".lstrip("."): value for key, value in own}
        if self.calibrated:
            for name, layer in self.batch_norms().items():
                mean, var = running_statistics(layer)
                state |= {f"{name}.running_mean": mean, f"{name}.running_var": var}
        if self.input_adapter == "reinit":
            for name, value in self.adapter_layer().state_dict().items():
                state[f"first_convolution.{name}"] = value
        return state

    def load_own_state(self, state: dict[str, torch.Tensor]) -> None:
        """Restore the tensors that `own_state` returned.

        Raises
        ------
        BackboneError
            When they belong to another backbone.
        """
        statistics = {n for n in state if n.endswith((".running_mean", ".running_var"))}
        self.calibrated = self.weights.name == "none" and bool(statistics)
        mine = self.own_state()
        if set(mine) != set(state):
            different = join_some(sorted(set(mine) ^ set(state)), 3)
            raise BackboneError(
                f"expected the state of {self.name}, got that of another backbone, which differs "
                f"in {different}; load it into the backbone that it was saved from"
            )
        with torch.no_grad():
            for name, value in state.items():
                mine[name].copy_(value)

    def identity(self) -> str:
        """Return 32 hex digits that are equal only for backbones with the same features."""
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
        """Compute features with a copy of the network that is optimised for inference.

        Parameters
        ----------
        images
            Views (N, 1 or 3, H, W), uint8.
        precision
            `fp32`, `bf16`, `fp16`, or `auto`.
        device
            Where to compute.

        Returns
        -------
        torch.Tensor
            Features (N, dim), float32, on the CPU.

        Raises
        ------
        BackboneError
            When features are not finite, because the precision is too low for the backbone.
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
        # Whether tensors have changed since: torch counts changes; a hash would take too long.
        state = tuple((t.data_ptr(), t._version) for t in self.own_state().values())
        key = (precision, str(device))
        cached_state, network = self._extractors.get(key, (None, None))
        if cached_state != state or network is None:
            network = fast_copy(self.network, precision, device)
            self._extractors = {key: (state, network)}  # only one: a VGG takes 0.5 GB
        return network

    def _run(self, network: nn.Module, images: torch.Tensor, device: torch.device) -> torch.Tensor:
        dtype = next(network.parameters()).dtype
        batch = normalise(images.to(device), self.preprocessing).to(dtype)
        return network(batch.contiguous(memory_format=torch.channels_last)).flatten(1)
