"""Names of the layers of common networks, to check `trainable` without building a network."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

# Written by `tests/models/write_layer_names.py`; a test compares it with the networks.
LAYER_NAMES = Path(__file__).with_name("layer_names.json")


def has_layers(network: str, word: str, rest: str) -> bool:
    """Whether a network is known to have the layers that `last:2` or `from:layer4` select.

    False says nothing: few networks are known here.
    """
    known = _read().get(network)
    if known is None:
        return False
    if word == "last":
        return int(rest) <= known["blocks"]
    return any(name == rest or name.startswith(f"{rest}.") for name in known["layers"])


@cache
def _read() -> dict[str, Any]:
    return json.loads(LAYER_NAMES.read_text(encoding="utf-8"))
