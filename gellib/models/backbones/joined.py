"""Several backbones as one: `resnet18+efficientnet-lite0` has the features of both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import nn

from gellib.config.known_names import NAMED_WEIGHTS
from gellib.models.backbones.preprocessing import Preprocessing
from gellib.models.backbones.sources import PLUS
from gellib.models.backbones.weights import (
    WeightsError,
    WeightsInfo,
    resolve_weights,
)


class JoinedNetwork(nn.Module):
    """Networks without classifiers, side by side: images (N, C, H, W) -> features (N, sum of dims).

    Its input is normalised as the first network expects it; for the others it is normalised anew.

    Parameters
    ----------
    networks
        The networks.
    preprocessings
        Mean and standard deviation that each of them expects.
    """

    def __init__(
        self, networks: Sequence[nn.Module], preprocessings: Sequence[Preprocessing]
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleList(networks)
        first = preprocessings[0]
        for number, own in enumerate(preprocessings):
            ratio = [a / b for a, b in zip(first.std, own.std, strict=True)]
            means = zip(first.mean, own.mean, own.std, strict=True)
            shift = [(a - b) / std for a, b, std in means]
            self.register_buffer(f"ratio_{number}", _per_channel(ratio), persistent=False)
            self.register_buffer(f"shift_{number}", _per_channel(shift), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute features (N, sum of dims) of images (N, C, H, W)."""
        return torch.cat([part(own).flatten(1) for part, own in self.part_inputs(images)], dim=1)

    def part_inputs(self, images: torch.Tensor) -> list[tuple[nn.Module, torch.Tensor]]:
        """Pair each network with its input."""
        return [
            (part, images * getattr(self, f"ratio_{i}") + getattr(self, f"shift_{i}"))
            for i, part in enumerate(self.parts)
        ]


def _per_channel(values: Sequence[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1)


def resolve_joined(
    name: str, weights: str, *, timeout_s: float | None = None, progress: bool = True
) -> list[WeightsInfo]:
    """Decide which weights each part of a joined backbone has, as `resolve_weights` does for one.

    Parameters
    ----------
    name
        Checked names of the parts, joined by `+`.
    weights
        As for `resolve_weights`, but no file; or one of them per part, joined by `+`.
    timeout_s, progress
        As for `resolve_weights`.

    Raises
    ------
    WeightsError
        For a file of weights, and where some parts would have pretrained weights and others not.
    """
    names = name.split(PLUS)
    asked = weights.split(PLUS) if PLUS in weights else [weights] * len(names)
    if len(asked) != len(names):
        raise WeightsError(
            f"weights: got {weights!r}, which names {len(asked)} for the {len(names)} backbones of "
            f"{name}; expected one for all, or one for each"
        )
    if files := [text for text in asked if text not in NAMED_WEIGHTS]:
        raise WeightsError(
            f"weights: got {files[0]!r} for {name}; a joined backbone takes "
            f"{', '.join(NAMED_WEIGHTS)}, and no file"
        )
    infos = [
        resolve_weights(part, text, timeout_s=timeout_s, progress=progress)
        for part, text in zip(names, asked, strict=True)
    ]
    bare = [part for part, info in zip(names, infos, strict=True) if info.name == "none"]
    if bare and len(bare) < len(names):
        raise WeightsError(
            f"weights: {' and '.join(bare)} would have random weights beside pretrained ones in "
            f"{name}; name backbones that all have weights here (`gellib weights` lists them), or "
            "set weights to none"
        )
    return infos


def join_weights(infos: Sequence[WeightsInfo]) -> WeightsInfo:
    """Describe the weights of all parts in one: each field joined, the hash that of the hashes."""
    hashes = "".join(info.sha256 for info in infos)
    return WeightsInfo(
        name=_join([info.name for info in infos], PLUS),
        source="; ".join(info.source for info in infos),
        sha256=hashlib.sha256(hashes.encode()).hexdigest(),
        warning=" ".join(dict.fromkeys(info.warning for info in infos if info.warning)),
        license=_join([info.license for info in infos if info.license], " and "),
    )


def _join(texts: Sequence[str], separator: str) -> str:
    """Join texts, or return the one that all are."""
    return texts[0] if len(set(texts)) == 1 else separator.join(texts)
