"""What a sweep must know before its first run, and only torch can tell.

The sweep's own process stays free of torch: it calls this in a fork of the preloaded server.
"""

from __future__ import annotations

from collections.abc import Sequence

from gellib.backbones import device_missing, resolve_weights
from gellib.config import ConfigError, RunConfig
from gellib.experiment import check_network


def missing_devices(kinds: Sequence[str]) -> dict[str, str]:
    """Return, by hardware type, why this machine does not have it; empty where it does."""
    return {kind: device_missing(kind) for kind in kinds}


def prepare_weights(configs: Sequence[RunConfig]) -> list[str]:
    """Check networks, steps and weights; download what is to be had; return the warnings.

    Raises
    ------
    ConfigError
        When a parameter names what does not exist, or weights cannot be had.
    """
    for config in configs:
        check_network(config)
    warnings = []
    for name, weights in dict.fromkeys((c.pretrained_model, c.weights) for c in configs):
        try:
            info = resolve_weights(name, weights)
        except ValueError as err:
            raise ConfigError(f"parameter 'weights': {err}") from err
        if info.warning:
            warnings.append(info.warning)
    return warnings
