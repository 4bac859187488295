"""What is trained when and on what: the phases of a run, and the inputs that they need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.models.backbones import Backbone, cut_network, list_blocks, resolve_precision
from gellib.models.features import (
    FeatureStore,
    activation_shape,
    cached_activations,
    calibrate_on_images,
    check_augmentation,
)
from gellib.models.heads import Head
from gellib.models.training.fit import Phase
from gellib.models.training.inputs import CachedInputs, OnlineInputs, RowsOnDisk
from gellib.models.training.optimise import make_optimizer

# What the frozen layers give is kept up to this size, for training and validation together.
ACTIVATION_BYTES = 4 << 30


class Tail(nn.Module):
    """The layers of a backbone behind a cut: activations to features."""

    def __init__(self, backbone: Backbone, back: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone  # it knows which of its layers go into training mode
        self._back = [back]  # shares its layers with the backbone: none of them twice

    def forward(self, activations: torch.Tensor) -> torch.Tensor:
        """Compute features (N, dim)."""
        return self._back[0](channels_last(activations)).flatten(1)


class ImageBackbone(nn.Module):
    """A backbone that takes its images as they are read."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute features (N, dim)."""
        return self.backbone(channels_last(images))


def channels_last(batch: torch.Tensor) -> torch.Tensor:
    """Lay a batch of images out channel by channel on a CPU, where training is faster so."""
    if batch.device.type != "cpu" or batch.ndim != 4:
        return batch
    return batch.contiguous(memory_format=torch.channels_last)


def plan_phases(
    config: RunConfig,
    imageset: ImageSet,
    backbone: Backbone,
    head: Head,
    layers: Sequence[str],
    *,
    store: FeatureStore,
    device: torch.device,
    progress: bool = False,
    cached: bool = True,
) -> Iterator[Phase]:
    """Have all inputs computed, and return the phases; asking for the second unfreezes `layers`.

    The first phase, of all epochs or of `unfreeze_epoch`, trains the head; the second one `layers`
    as well, with an optimiser and a schedule of its own.
    """
    first = range(1, (config.unfreeze_epoch if layers else config.num_epochs) + 1)
    second = range(first.stop, config.num_epochs + 1)
    rows = rows_of(imageset)
    options: dict[str, Any] = {"store": store, "device": device, "progress": progress}
    cached = cached and backbone.frozen
    features = None
    if first and cached:
        features = compute_features(config, imageset, backbone, **options)
    elif backbone.needs_calibration and not set(backbone.batch_norms()) <= set(layers):
        calibrate_on_images(store, imageset, rows["train"], backbone)
    images = _online_inputs(config, imageset, rows, backbone, store)
    cut = None
    if second and cached and not images.steps:
        cut = _cut_inputs(imageset, rows, backbone, layers, **options)
    return _phases(config, backbone, head, layers, (first, second), features, images, cut, device)


def _phases(
    config: RunConfig,
    backbone: Backbone,
    head: Head,
    layers: Sequence[str],
    epochs: tuple[range, range],
    features: CachedInputs | None,
    images: OnlineInputs,
    cut: tuple[nn.Module, CachedInputs] | None,
    device: torch.device,
) -> Iterator[Phase]:
    first, second = epochs
    rate = config.learning_rate
    precision = training_precision(config, backbone.network, device)
    if first and features is not None:
        optimizer = make_optimizer(config, [{"params": list(head.parameters()), "lr": rate}])
        # A head is too small to gain from threads, and their number must not change the result.
        yield Phase(first, head, features, optimizer, threads=1)
    elif first:
        _move(backbone, device)
        optimizer = make_optimizer(config, parameter_groups(backbone, head, rate))
        network = nn.Sequential(ImageBackbone(backbone), head)
        yield Phase(first, network, images, optimizer, precision=precision)
    if second:
        _move(backbone, device)
        backbone.unfreeze(layers)
        if first:
            rate = config.unfreeze_learning_rate or rate
        groups = parameter_groups(backbone, head, rate, config.layer_decay)
        part, inputs = cut or (ImageBackbone(backbone), images)
        optimizer = make_optimizer(config, groups, fused=True)
        network = nn.Sequential(part, head)
        yield Phase(second, network, inputs, optimizer, precision=precision)


def training_precision(
    config: RunConfig, network: nn.Module, device: torch.device
) -> Literal["fp32", "bf16"]:
    """Choose the arithmetic of layers that are trained: `bf16` stands for mixed precision.

    `auto` is bf16 where the hardware computes in it, but for networks with depthwise convolutions
    on a CPU, whose gradients are slower in bf16 (EfficientNet at half of its speed with small
    images). fp16 would need its gradients scaled: it is fp32 here.
    """
    if config.precision != "auto":
        return "bf16" if config.precision == "bf16" else "fp32"
    slow = device.type == "cpu" and any(map(_is_depthwise, network.modules()))
    return "bf16" if resolve_precision("auto", device) == "bf16" and not slow else "fp32"


def _is_depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and 1 < layer.groups == layer.in_channels


def _move(backbone: Backbone, device: torch.device) -> None:
    on_cpu = device.type == "cpu"
    layout = torch.channels_last if on_cpu else torch.preserve_format
    backbone.to(device=device, memory_format=layout)


def parameter_groups(
    backbone: Backbone, head: Head, rate: float, decay: float = 1.0
) -> list[dict[str, Any]]:
    """Group all that is trained by learning rate: that of the head first.

    A block's is `decay` times that of the one behind it, the last block's `decay` times the head's.
    """
    groups = [{"params": list(head.parameters()), "lr": rate}]
    for block in reversed(list_blocks(backbone.network)):
        rate *= decay
        layers = (backbone.network.get_submodule(name) for name in block.layers)
        own = (parameter for layer in layers for parameter in layer.parameters(recurse=False))
        trained = [parameter for parameter in own if parameter.requires_grad]
        if trained:
            groups.append({"params": trained, "lr": rate})
    return groups


def _cut_inputs(
    imageset: ImageSet,
    rows: dict[str, np.ndarray],
    backbone: Backbone,
    layers: Sequence[str],
    *,
    store: FeatureStore,
    device: torch.device,
    progress: bool,
) -> tuple[nn.Module, CachedInputs] | None:
    """Compute what the frozen layers give; None where nothing is frozen, or it is too much."""
    blocks = list_blocks(backbone.network)
    number = next(i for i, block in enumerate(blocks) if layers[0] in block.layers)
    cut = cut_network(backbone.network, blocks[number].name) if number else None
    if cut is None:
        return None
    front, back = cut
    shape = activation_shape(backbone, front)
    count = len(rows["train"]) + len(rows["val"])
    if 4 * count * shape.numel() > ACTIVATION_BYTES:
        return None
    options: dict[str, Any] = {"before": blocks[number].name, "device": device}
    train, val = (
        cached_activations(
            store, imageset, rows[part], backbone, front, progress=progress, **options
        )
        for part in ("train", "val")
    )
    return Tail(backbone, back), CachedInputs(train[None], val)


def compute_features(
    config: RunConfig,
    imageset: ImageSet,
    backbone: Backbone,
    *,
    store: FeatureStore,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> CachedInputs:
    """Have all features that training a head needs in the store; what is there is not made again.

    Batch norms of random weights are calibrated first, on the training images.
    """
    rows = rows_of(imageset)
    options: dict[str, Any] = {"store": store, "device": device, "progress": progress}
    plain, views = _features(config, imageset, imageset, rows["train"], backbone, **options)
    val = RowsOnDisk(plain, rows["val"])
    if views is None:
        return CachedInputs([RowsOnDisk(plain, rows["train"])], val)
    return CachedInputs(views, val)


def compute_shard(
    config: RunConfig,
    imageset: ImageSet,
    backbone: Backbone,
    start: int,
    *,
    store: FeatureStore,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> None:
    """Have one shard of what `compute_features` computes in the store.

    These are the plain views of `store.shard` images from `start` on, and the random ones of as
    many training images.
    """
    part = slice(start, start + store.shard)
    images = imageset.take(np.arange(len(imageset))[part])
    rows = rows_of(imageset)["train"][part]
    options: dict[str, Any] = {"store": store, "device": device, "progress": progress}
    _features(config, imageset, images, rows, backbone, **options)


def _features(
    config: RunConfig,
    imageset: ImageSet,
    images: ImageSet,
    train: np.ndarray,
    backbone: Backbone,
    *,
    store: FeatureStore,
    device: torch.device | str,
    progress: bool,
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Get plain features of `images`, and those of random views, if any, of rows of the set."""
    if backbone.needs_calibration:
        calibrate_on_images(store, imageset, rows_of(imageset)["train"], backbone)
    options: dict[str, Any] = {
        "precision": config.precision,
        "device": torch.device(device),
        "progress": progress,
    }
    plain = store.unaugmented(images, backbone, **options) if len(images) else None
    if not len(train) or not config.has_random_views:
        return plain, None
    drawn = {"augmentation": config.augmentation, "seed": config.seed}
    drawn |= {"epochs": config.head_epochs}
    return plain, store.augmented(imageset, train, backbone, **drawn, **options)


def rows_of(imageset: ImageSet) -> dict[str, np.ndarray]:
    """Find the rows of the training and the validation images."""
    split = imageset.table["split"].to_numpy()
    rows = {part: np.flatnonzero(split == part) for part in ("train", "val")}
    if not len(rows["train"]):
        raise ValueError("no image of the set is in the part `train`; split it first")
    return rows


def _online_inputs(
    config: RunConfig,
    imageset: ImageSet,
    rows: dict[str, np.ndarray],
    backbone: Backbone,
    store: FeatureStore,
) -> OnlineInputs:
    table = imageset.table
    if (table["digest"] == "").any():
        table = imageset.with_digests().table
    return OnlineInputs(
        train_paths=list(table["path"].iloc[rows["train"]]),
        train_digests=list(table["digest"].iloc[rows["train"]]),
        val_paths=list(table["path"].iloc[rows["val"]]),
        preprocessing=backbone.preprocessing,
        limits=store.limits,
        steps=check_augmentation(config.augmentation),
        seed=config.seed,
    )
