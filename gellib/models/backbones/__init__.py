"""Backbones: networks as feature extractors, their weights and their input.

A *network* is a model of torchvision or timm, with or without its classifier. A *backbone* is a
network without its classifier, together with its weights and preprocessing.
"""

from gellib.base.seeding import derive_seed, isolated_rng
from gellib.models.backbones.adapters import INPUT_ADAPTERS
from gellib.models.backbones.backbone import Backbone
from gellib.models.backbones.batch_norm_statistics import calibrate_batchnorm
from gellib.models.backbones.building import build_backbone
from gellib.models.backbones.cutting import cut_network
from gellib.models.backbones.devices import (
    DeviceMissing,
    choose_device,
    device_missing,
    exact_arithmetic,
    resolve_precision,
)
from gellib.models.backbones.hashes import file_sha256, state_sha256
from gellib.models.backbones.joined import JoinedNetwork
from gellib.models.backbones.layers import check_layers, list_blocks, trained_layers
from gellib.models.backbones.network_parts import running_statistics
from gellib.models.backbones.preprocessing import (
    CONTRASTS,
    Preprocessing,
    normalise,
    stretch_contrast,
)
from gellib.models.backbones.sources import (
    BackboneError,
    check_backbone,
    find_source,
    list_backbones,
)
from gellib.models.backbones.weights import (
    TIMEOUT_ENV,
    WeightsError,
    WeightsInfo,
    WeightsMissing,
    checkpoint_path,
    resolve_weights,
    weights_request,
)

__all__ = [
    "CONTRASTS",
    "INPUT_ADAPTERS",
    "TIMEOUT_ENV",
    "Backbone",
    "BackboneError",
    "DeviceMissing",
    "JoinedNetwork",
    "Preprocessing",
    "WeightsError",
    "WeightsInfo",
    "WeightsMissing",
    "list_blocks",
    "build_backbone",
    "calibrate_batchnorm",
    "check_backbone",
    "check_layers",
    "checkpoint_path",
    "cut_network",
    "choose_device",
    "device_missing",
    "exact_arithmetic",
    "file_sha256",
    "find_source",
    "list_backbones",
    "derive_seed",
    "normalise",
    "resolve_precision",
    "resolve_weights",
    "running_statistics",
    "isolated_rng",
    "state_sha256",
    "stretch_contrast",
    "trained_layers",
    "weights_request",
]
