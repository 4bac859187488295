"""The second half of an exported model: from a view to probabilities, likeness and heat map."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

from gellib.evaluation import PredictionSetRule, Task
from gellib.models.backbones import Backbone, normalise
from gellib.models.explain import ExplainError, explained_layers, is_vision_transformer
from gellib.report.export.likeness import Likeness
from gellib.training_run.finished_model import FinishedModel

_TOLERANCE = 1e-6


class ViewModel(nn.Module):
    """A finished model as one network: a view (1, channels, size, size), uint8, to its `outputs`.

    With `heat_map` off it has no `map`; a vision transformer never has one.

    Attributes
    ----------
    outputs
        Names of what `forward` returns. `probabilities` (C,) after the temperature; `labels` (C,)
        the classes that the image is given; `set` (C,) those that it may have; `unlike` (C,), or
        (1,) with several labels per image: above 1 where the image is unlike the training images of
        the class; `map` (h, w): how much each region speaks for the most probable class, 0..1.
    """

    def __init__(self, model: FinishedModel, *, heat_map: bool = True) -> None:
        super().__init__()
        self.backbone, self.head = model.backbone.eval(), model.head.eval()
        self.task: Task = model.head.task
        self.temperature = model.temperature
        self.thresholds = torch.tensor([*model.thresholds.values()] or [0.5] * len(model.classes))
        self.rule: PredictionSetRule | None = model.rule
        size, count = self.backbone.preprocessing.image_size, len(model.classes)
        self.likeness = (
            Likeness(model.detector, count if self.task.exclusive else 0, size)
            if model.detector is not None
            else None
        )
        channels = 1 if self.backbone.preprocessing.color == "grey" else 3
        self.example = torch.zeros((1, channels, size, size), dtype=torch.uint8)
        self.layers = _layers_with_maps(self.backbone, self.example) if heat_map else []
        self.outputs = ["probabilities", "labels"]
        self.outputs += ["set"] if self.rule is not None else []
        self.outputs += ["unlike"] if self.likeness is not None else []
        self.outputs += ["map"] if self.layers else []

    def forward(self, view: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute the `outputs` of one view."""
        pixels = normalise(view, self.backbone.preprocessing)
        kept: dict[nn.Module, torch.Tensor] = {}
        hooks = [layer.register_forward_hook(_keep_in(kept)) for layer in self.layers]
        try:
            with torch.set_grad_enabled(bool(hooks)):
                features = self.backbone(pixels)
                logits = self.head(features)
                scaled = logits / self.temperature
                probabilities = scaled.softmax(1) if self.task.exclusive else scaled.sigmoid()
                heat = _heat_map(logits, [kept[layer] for layer in self.layers]) if hooks else None
        finally:
            for hook in hooks:
                hook.remove()
        p = probabilities[0].detach()
        best = torch.arange(len(p)) == p.argmax()
        found = [p, best if self.task.exclusive else p >= self.thresholds]
        if self.rule is not None:
            members = p >= torch.tensor(self.rule.thresholds, dtype=torch.float32) - _TOLERANCE
            found.append(members | (best & members.any()) if self.task.exclusive else members)
        if self.likeness is not None:
            found.append(self.likeness(features.detach(), view))
        return (*found, heat) if heat is not None else tuple(found)

    def traced(self) -> torch.fx.GraphModule:
        """Return the same as a graph of plain operations, gradients of the heat map included."""

        def forward(view: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return self(view)

        return make_fx(forward, decomposition_table=_BACKWARD)(self.example)


def _layers_with_maps(backbone: Backbone, view: torch.Tensor) -> list[nn.Module]:
    if is_vision_transformer(backbone.network):
        return []
    try:
        return explained_layers(backbone, normalise(view, backbone.preprocessing))
    except ExplainError:
        return []


def _keep_in(kept: dict[nn.Module, torch.Tensor]) -> Any:
    def hook(layer: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        # What comes before it needs no gradient. A copy goes on, as later layers may write into it.
        kept[layer] = output.detach().requires_grad_(True)
        return kept[layer].clone()

    return hook


def _heat_map(logits: torch.Tensor, maps: list[torch.Tensor]) -> torch.Tensor:
    """Compute Grad-CAM of the most probable class (h, w), 0..1, as `grad_cam` does."""
    target = torch.arange(logits.shape[1]) == logits.argmax(1, keepdim=True)
    gradients = torch.autograd.grad((logits * target).sum(), maps)
    size = maps[0].shape[2:]
    heat = torch.zeros((1, 1, *size))
    for own, gradient in zip(maps, gradients, strict=True):
        weighted = (own * gradient.mean((2, 3), keepdim=True)).sum(1, keepdim=True).detach()
        if weighted.shape[2:] != size:
            weighted = nn.functional.interpolate(weighted, size, mode="bilinear")
        heat = heat + weighted
    heat = heat[0, 0].clamp(min=0)
    return heat / heat.max().clamp(min=1e-12)


def _pooling_backward(gradient: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Spread the gradient of an adaptive average pooling, for which ONNX has no operation."""
    down, across = (
        _averages(gradient.shape[axis], maps.shape[axis]).to(gradient.dtype) for axis in (2, 3)
    )
    return down.T @ gradient @ across


def _averages(outputs: int, inputs: int) -> torch.Tensor:
    """Which inputs (outputs, inputs) each output of an adaptive average pooling is the mean of."""
    number, place = torch.arange(outputs)[:, None], torch.arange(inputs)
    start, end = number * inputs // outputs, -(-(number + 1) * inputs // outputs)
    return ((place >= start) & (place < end)) / (end - start)


def _convolution_backward(
    gradient: torch.Tensor,
    maps: torch.Tensor,
    weight: torch.Tensor,
    bias_sizes: Any,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
    wanted: list[bool],
) -> Any:
    """Compute the gradient of a convolution's input, its transpose; that of weights is not."""
    if transposed or any(wanted[1:]):
        return NotImplemented
    reached = [
        (gradient.shape[k + 2] - 1) * stride[k]
        - 2 * padding[k]
        + dilation[k] * (weight.shape[k + 2] - 1)
        + 1
        for k in (0, 1)
    ]
    more = [maps.shape[k + 2] - reached[k] for k in (0, 1)]
    arguments = (gradient, weight, None, stride, padding, dilation, True, more, groups)
    return torch.ops.aten.convolution.default(*arguments), None, None


_BACKWARD = {
    overload: decomposition
    for overload, decomposition in torch._decomp.core_aten_decompositions().items()
    if "backward" in str(overload)
} | {
    torch.ops.aten._adaptive_avg_pool2d_backward.default: _pooling_backward,
    torch.ops.aten.convolution_backward.default: _convolution_backward,
}
