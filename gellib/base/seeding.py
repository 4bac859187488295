"""Random numbers by name: each use has its own seed, and torch's global state is restored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


def derive_seed(seed: int, *names: object) -> int:
    """Derive a seed below 2**63 for one named use of randomness.

    For example `derive_seed(0, "order", epoch)`.
    """
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def isolated_rng(
    seed: int, *names: object, device: torch.device | str = "cpu"
) -> Iterator[torch.Generator]:
    """Run a block with its own random numbers, and restore the global generators afterwards."""
    device = torch.device(device)
    value = derive_seed(seed, *names)
    with torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would also reseed every CUDA device permanently.
        generator = torch.default_generator.manual_seed(value)
        if device.type == "cuda":
            with torch.random.fork_rng(devices=[device.index or 0]), torch.cuda.device(device):
                torch.cuda.manual_seed(value)
                yield generator
        else:
            yield generator


class SkipInitialisation(TorchFunctionMode):
    """While this mode is active, `torch.nn.init` leaves tensors as they are.

    For networks whose weights are loaded next: VGG's 138 million random numbers take two seconds.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Return the tensor instead of filling it."""
        kwargs = kwargs or {}
        # The functions of torch.nn.init that support this protocol pass the tensor by keyword; they
        # fill all large linear layers. The random methods of Tensor still run: `trunc_normal_`
        # draws until the numbers are in range.
        if getattr(func, "__module__", "") == "torch.nn.init":
            return kwargs["tensor"]
        return func(*args, **kwargs)
