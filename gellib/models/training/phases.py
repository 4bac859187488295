"""The phases of a run: which layers are trained in which epochs, and on what inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.models.backbones import Backbone
from gellib.models.compute import Compute
from gellib.models.features import calibrate_on_images
from gellib.models.heads import Head
from gellib.models.training.cached_inputs import compute_activations, compute_features
from gellib.models.training.fit import Phase
from gellib.models.training.inputs import (
    CachedInputs,
    OnlineInputs,
    make_online_inputs,
    split_rows,
)
from gellib.models.training.networks import ImageBackbone, move_backbone, training_precision
from gellib.models.training.optimise import make_optimizer, parameter_groups


@dataclass(frozen=True)
class _Plan:
    """Epochs of the two phases, and the inputs that are computed before they begin.

    `features` are those of a frozen backbone; `activations` come with the part of the backbone that
    is trained on them.
    """

    head_epochs: range
    layer_epochs: range
    images: OnlineInputs
    features: CachedInputs | None
    activations: tuple[nn.Module, CachedInputs] | None


def plan_phases(
    config: RunConfig,
    imageset: ImageSet,
    backbone: Backbone,
    head: Head,
    layers: Sequence[str],
    compute: Compute,
    *,
    cached: bool = True,
    features: CachedInputs | None = None,
) -> Iterator[Phase]:
    """Compute the inputs of all phases, and return the phases.

    The first phase, of all epochs or of `unfreeze_epoch`, trains the head. The second phase trains
    `layers` as well, with an optimiser and a schedule of its own; requesting it unfreezes them.

    Parameters
    ----------
    config
        The configuration of the run.
    imageset
        The images, split.
    backbone, head
        The model.
    layers
        The layers of the backbone to train, from front to back; none: the head alone is trained.
    compute
        How to compute, with a store.
    cached
        Whether inputs that are the same in every epoch are computed once.
    features
        The features of the frozen backbone, where they are at hand already.
    """
    first = range(1, (config.unfreeze_epoch if layers else config.num_epochs) + 1)
    second = range(first.stop, config.num_epochs + 1)
    cached = cached and backbone.frozen
    activations = None
    if first and cached:
        features = features or compute_features(config, imageset, backbone, compute)
    elif backbone.needs_calibration and not set(backbone.batch_norms()) <= set(layers):
        rows = split_rows(imageset)["train"]
        calibrate_on_images(compute.features, imageset, rows, backbone)
    images = make_online_inputs(config, imageset, backbone, compute.limits)
    if second and cached and not images.steps:
        activations = compute_activations(imageset, backbone, layers, compute)
    plan = _Plan(first, second, images, features, activations)
    return _phases(config, backbone, head, layers, compute, plan)


def _phases(
    config: RunConfig,
    backbone: Backbone,
    head: Head,
    layers: Sequence[str],
    compute: Compute,
    plan: _Plan,
) -> Iterator[Phase]:
    rate = config.learning_rate
    precision = training_precision(compute, backbone.network)
    if plan.head_epochs and plan.features is not None:
        optimizer = make_optimizer(config, [{"params": list(head.parameters()), "lr": rate}])
        # A head is too small to gain from threads, and the result must not depend on their number.
        yield Phase(plan.head_epochs, head, plan.features, optimizer, threads=1)
    elif plan.head_epochs:
        move_backbone(backbone, compute.device)
        optimizer = make_optimizer(config, parameter_groups(backbone, head, rate))
        network = nn.Sequential(ImageBackbone(backbone), head)
        yield Phase(plan.head_epochs, network, plan.images, optimizer, precision=precision)
    if plan.layer_epochs:
        move_backbone(backbone, compute.device)
        backbone.unfreeze(layers)
        if plan.head_epochs:
            rate = config.unfreeze_learning_rate or rate
        groups = parameter_groups(backbone, head, rate, config.layer_decay)
        part, inputs = plan.activations or (ImageBackbone(backbone), plan.images)
        optimizer = make_optimizer(config, groups, fused=True)
        network = nn.Sequential(part, head)
        yield Phase(plan.layer_epochs, network, inputs, optimizer, precision=precision)
