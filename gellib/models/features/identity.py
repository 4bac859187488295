"""What features depend on: the values from which their key in the cache is computed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import torch

from gellib.data import ImageSet
from gellib.data.reading_libraries import reading_versions, versions_of
from gellib.models.backbones import Backbone

# Increased whenever the same input has other features than before, so that old files are not used.
FEATURES_VERSION = 6
# What prepares an image and computes: another version may round otherwise.
_COMPUTING = ("torch", "torchvision", "timm")


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that features depend on, by name."""
    return versions_of(_COMPUTING) | reading_versions()


def feature_facts(
    backbone: Backbone, digests: Iterable[str], precision: str, device: torch.device | str
) -> dict[str, Any]:
    """Return the values on which features depend, except for the kind of view.

    Parameters
    ----------
    backbone
        The backbone.
    digests
        The sha256 of each image.
    precision
        `fp32`, `bf16` or `fp16`.
    device
        Where features are computed; only its type counts.
    """
    return {
        "version": FEATURES_VERSION,
        "libraries": library_versions(),
        "images": list(digests),
        "backbone": backbone.identity(),
        "precision": precision,
        "device": torch.device(device).type,
    }


def ensure_digests(imageset: ImageSet) -> ImageSet:
    """Return the images with the sha256 of every file, computed if one is missing."""
    return imageset if (imageset.table["digest"] != "").all() else imageset.with_digests()
