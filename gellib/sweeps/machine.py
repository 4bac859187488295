"""What a sweep found on its machine, as plain values: found in a fork, used without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gellib.config import RunConfig

NO_WEIGHTS = "no pretrained weights at hand"  # reasons to skip a run for that begin so


@dataclass(frozen=True)
class Machine:
    """Devices, weights and the package that runs import.

    Parameters
    ----------
    missing
        By hardware type, why it is not there; empty where it is.
    gpus
        How many GPUs there are.
    weights
        By backbone and parameter `weights`: name, sha256 and warning of those that are available.
    package
        File of the gellib that kernels import.
    no_weights
        By backbone and parameter `weights`, why there are none to be had; runs that insist on
        pretrained ones are skipped.
    computing
        What features depend on beside images, backbone and weights: the version of their kind,
        the libraries that decode and compute, and what `auto` means by device.
    """

    missing: dict[str, str]
    gpus: int
    weights: dict[tuple[str, str], dict[str, str]]
    package: str
    no_weights: dict[tuple[str, str], str] = field(default_factory=dict)
    computing: dict[str, Any] = field(default_factory=dict)

    def reason_to_skip(self, config: RunConfig, missing: dict[str, str]) -> str:
        """Say why a run cannot be done with the devices in `missing`; empty where it can."""
        device = missing.get(config.hardware_type, "")
        return device or self.no_weights.get((config.pretrained_model, config.weights), "")

    def weights_of(self, config: RunConfig) -> dict[str, str]:
        """Return name, sha256 and warning of the weights that a configuration means here."""
        return self.weights[config.pretrained_model, config.weights]
