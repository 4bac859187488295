"""Randomness by name: every draw has its own seed, and torch's global state is left as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


def named_seed(seed: int, *names: object) -> int:
    """Derive the seed of one named draw, such as `named_seed(0, "order", epoch)`, below 2**63."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def seeded(
    seed: int, *names: object, device: torch.device | str = "cpu"
) -> Iterator[torch.Generator]:
    """Run a block on its own random numbers; the global generators are as before afterwards."""
    device = torch.device(device)
    value = named_seed(seed, *names)
    with torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would reseed every CUDA device too, for good.
        generator = torch.default_generator.manual_seed(value)
        if device.type == "cuda":
            with torch.random.fork_rng(devices=[device.index or 0]), torch.cuda.device(device):
                torch.cuda.manual_seed(value)
                yield generator
        else:
            yield generator


class NoDraws(TorchFunctionMode):
    """While it is entered, tensors are not filled with random numbers but left as they are.

    For networks whose weights are loaded next: VGG's 138 million draws take two seconds.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Return the tensor in place of filling it."""
        kwargs = kwargs or {}
        # Those of torch.nn.init that hand themselves over, with the tensor by name: they fill all
        # large linear layers. Tensor's own draws take place: `trunc_normal_` waits for good ones.
        if getattr(func, "__module__", "") == "torch.nn.init":
            return kwargs["tensor"]
        return func(*args, **kwargs)
