"""Many heads of one kind trained at once: their weights are stacked, each batch is one product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from gellib.models.heads import Head


def can_stack(head: Head) -> bool:
    """Whether a head consists of layers that a stack computes; one with batch norms does not."""
    return all(isinstance(layer, (nn.Linear, nn.ReLU, nn.Dropout)) for layer in head)


class HeadStack:
    """K heads with weights of their own, which compute the same as K heads one after the other.

    Parameters
    ----------
    heads
        The heads, equal but for their weights, for which `can_stack` holds.
    """

    def __init__(self, heads: Sequence[Head]) -> None:
        self.count = len(heads)
        self.parameters: list[torch.Tensor] = []
        self._layers: list[tuple[torch.Tensor, torch.Tensor] | float | None] = []
        for layers in zip(*heads, strict=True):
            first = layers[0]
            if isinstance(first, nn.Linear):
                weight = torch.stack([layer.weight.detach() for layer in layers]).requires_grad_()
                bias = torch.stack([layer.bias.detach() for layer in layers]).requires_grad_()
                self.parameters += [weight, bias]
                self._layers.append((weight, bias))
            else:
                self._layers.append(first.p if isinstance(first, nn.Dropout) else None)

    def logits(
        self, x: torch.Tensor, sizes: Sequence[int], generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        """Compute logits (K, B, classes) for training, with dropout.

        Parameters
        ----------
        x
            (K, B, dim) inputs; of head k the first `sizes[k]` count, the others fill up.
        sizes
            K numbers of images.
        generators
            K random generators of the dropout, so that each head drops what it would drop alone.
        """
        for layer in self._layers:
            if isinstance(layer, tuple):
                weight, bias = layer
                x = torch.baddbmm(bias[:, None], x, weight.transpose(1, 2))
            elif layer is None:
                x = x.relu()
            elif layer > 0:
                x = x * _keep(x, layer, sizes, generators)
        return x

    def predict(self, k: int, x: torch.Tensor) -> torch.Tensor:
        """Compute logits (n, classes) of head k for inputs (n, dim), without dropout."""
        with torch.inference_mode():
            for layer in self._layers:
                if isinstance(layer, tuple):
                    weight, bias = layer
                    x = torch.addmm(bias[k], x, weight[k].T)
                elif layer is None:
                    x = x.relu()
        return x

    def clip_norms(self, norm: float) -> None:
        """Clip the norm of all gradients of each head; 0 means no limit."""
        if not norm:
            return
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        total = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0).sqrt()
        factor = (norm / (total + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(factor.view(-1, *[1] * (gradient.ndim - 1)))


def _keep(
    x: torch.Tensor, p: float, sizes: Sequence[int], generators: Sequence[torch.Generator]
) -> torch.Tensor:
    """Draw which units are kept, scaled, (K, B, width): head by head, as `nn.Dropout` draws."""
    keep = torch.zeros(x.shape)
    for own, size, generator in zip(keep, sizes, generators, strict=True):
        own[:size] = torch.empty(size, x.shape[2]).bernoulli_(1 - p, generator=generator)
    return keep.div_(1 - p).to(x.device)
