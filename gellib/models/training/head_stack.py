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

    Gradients are written into memory that is kept: autograd would allocate each of them anew and
    turn it around, which takes longer than to compute it.

    Parameters
    ----------
    heads
        The heads, equal but for their weights, for which `can_stack` holds.
    """

    def __init__(self, heads: Sequence[Head]) -> None:
        self.count = len(heads)
        self.parameters: list[torch.Tensor] = []
        self._layers: list[tuple[torch.Tensor, torch.Tensor] | float | None] = []
        self._seen: list[torch.Tensor | None] = []
        for layers in zip(*heads, strict=True):
            first = layers[0]
            if isinstance(first, nn.Linear):
                weight = torch.stack([layer.weight.detach() for layer in layers])
                bias = torch.stack([layer.bias.detach() for layer in layers])
                for own in (weight, bias):
                    own.grad = torch.zeros_like(own)
                self.parameters += [weight, bias]
                self._layers.append((weight, bias))
            else:
                self._layers.append(first.p if isinstance(first, nn.Dropout) else None)

    @torch.no_grad()
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
        self._seen = []
        for layer in self._layers:
            if isinstance(layer, tuple):
                self._seen.append(x)
                weight, bias = layer
                x = torch.baddbmm(bias[:, None], x, weight.transpose(1, 2))
            elif layer is None:
                x = x.relu_()
                self._seen.append(x)
            else:
                keep = _keep(x, layer, sizes, generators) if layer > 0 else None
                x = x if keep is None else x * keep
                self._seen.append(keep)
        return x

    @torch.no_grad()
    def backward(self, gradient: torch.Tensor) -> None:
        """Set the gradients of all parameters from that of the last `logits` (K, B, classes)."""
        for place in reversed(range(len(self._layers))):
            layer, seen = self._layers[place], self._seen[place]
            if seen is None:
                continue
            if isinstance(layer, tuple):
                weight, bias = layer
                torch.bmm(gradient.transpose(1, 2), seen, out=weight.grad)
                torch.sum(gradient, 1, out=bias.grad)
                if weight is self.parameters[0]:
                    return
                gradient = torch.bmm(gradient, weight)
            elif layer is None:
                gradient.mul_(seen > 0)
            else:
                gradient.mul_(seen)

    @torch.inference_mode()
    def predict(self, k: int, x: torch.Tensor) -> torch.Tensor:
        """Compute logits (n, classes) of head k for inputs (n, dim), without dropout."""
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
    keep = torch.empty(x.shape)
    for own, size, generator in zip(keep, sizes, generators, strict=True):
        own[:size].bernoulli_(1 - p, generator=generator)
        own[size:] = 0
    return keep.div_(1 - p).to(x.device)
