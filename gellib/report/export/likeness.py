"""How unlike the training images an image is, as a network: `OutOfDistribution` for ONNX."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from gellib.models.explain.earlier_detector import EarlierDetector
from gellib.models.explain.out_of_distribution import ALL, NEAREST, OutOfDistribution
from gellib.models.features.image_statistics import ACROSS, ALONG, BANDS, QUANTILES, SMALL, spectrum

_STATISTICS = ("centre", "scale", "precision")


class Likeness(nn.Module):
    """Features (1, dim) and a view (1, channels, size, size) to scores: above 1 is unlike.

    Parameters
    ----------
    detector
        The detector of a finished model.
    count
        Number of classes to compare with, one score each; 0: with all training images, one score.
    size
        Side of the view in pixels.
    """

    known: torch.Tensor
    directions: torch.Tensor
    middle: torch.Tensor

    def __init__(
        self, detector: OutOfDistribution | EarlierDetector, count: int, size: int
    ) -> None:
        super().__init__()
        self.statistics = ViewStatistics(size)
        self.count = count
        self.earlier = isinstance(detector, EarlierDetector)
        if isinstance(detector, EarlierDetector):
            self._keep("directions", detector.arrays["features.directions"])
            self._keep("middle", detector.arrays["features.centre"])
            self._keep_reference(
                ALL, {k: detector.arrays[f"statistics.{k}"] for k in _STATISTICS}, detector.limits
            )
            self.names = [ALL] * max(count, 1)
            return
        # Half precision, as in the model's file: the values are exact.
        self._keep("known", detector.features, torch.float16)
        names = [str(number) for number in range(count)] or [ALL]
        self.names = [name if name in detector.references else ALL for name in names]
        for name in dict.fromkeys(self.names):
            reference = detector.references[name]
            self._keep_reference(name, reference.statistics, reference.limits)
            self._keep(f"{name}_images", reference.images, torch.int64)

    def forward(self, features: torch.Tensor, view: torch.Tensor) -> torch.Tensor:
        """Compute the scores (count,), or (1,)."""
        direction = features / torch.linalg.vector_norm(features, dim=1, keepdim=True).clamp(1e-12)
        numbers = self.statistics(view)
        distances = None if self.earlier else self._distances(direction)
        scores = {
            name: self._score(name, direction, numbers, distances)
            for name in dict.fromkeys(self.names)
        }
        return torch.stack([scores[name] for name in self.names])

    def _distances(self, direction: torch.Tensor) -> torch.Tensor:
        known = self.known.float()
        squares = (known * known).sum(1) + (direction * direction).sum(1) - 2 * known @ direction[0]
        return squares.clamp(min=0).sqrt()

    def _score(
        self,
        name: str,
        direction: torch.Tensor,
        numbers: torch.Tensor,
        distances: torch.Tensor | None,
    ) -> torch.Tensor:
        if distances is None:
            away = direction[0] - self.middle
            far = torch.linalg.vector_norm(away - (self.directions @ away) @ self.directions)
        else:
            own = distances[getattr(self, f"{name}_images")]
            far = own.topk(NEAREST, largest=False).values.mean()
        centre, scale, precision = (getattr(self, f"{name}_{part}") for part in _STATISTICS)
        away = (numbers - centre) / scale
        tone = (away @ precision @ away).clamp(min=0).sqrt()
        return (torch.stack([far, tone]) / getattr(self, f"{name}_limits")).max()

    def _keep_reference(
        self, name: str, statistics: dict[str, np.ndarray], limits: tuple[float, float]
    ) -> None:
        for part in _STATISTICS:
            self._keep(f"{name}_{part}", statistics[part])
        self._keep(f"{name}_limits", np.array(limits))

    def _keep(self, name: str, value: np.ndarray, kind: torch.dtype = torch.float32) -> None:
        self.register_buffer(name, torch.from_numpy(np.asarray(value)).to(kind))


class ViewStatistics(nn.Module):
    """`view_statistics` of one view (1, channels, size, size), uint8, as a network."""

    window: torch.Tensor
    kinds: torch.Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        window, kinds, counts = spectrum(size, size)
        self.size, self.counts = size, counts
        # Every row of the window is a multiple of the one in its middle.
        self.middle = float(window[size // 2, size // 2])
        self.register_buffer("window", torch.from_numpy(window[size // 2].copy()))
        self.register_buffer("kinds", torch.from_numpy(kinds.astype(np.int8)).reshape(size, -1))

    def forward(self, view: torch.Tensor) -> torch.Tensor:
        """Compute the statistics (N_STATISTICS,)."""
        grey = view[0].float().mean(0) / 255
        power = self._power(grey - grey.mean())
        octaves = range(1, len(BANDS))
        found = _quantiles(grey.reshape(-1), QUANTILES)
        found += [self._level(power, octave, (0, 1, 2)) for octave in octaves]
        found += [
            self._level(power, octave, (ACROSS,)) - self._level(power, octave, (ALONG,))
            for octave in octaves[1:]
        ]
        steps = (grey[:, 1:] - grey[:, :-1]).abs()
        (steep,) = _quantiles(steps.reshape(-1), (0.99,))
        found.append(torch.log10((steep + SMALL) / (steps.mean() + SMALL)))
        return torch.stack(found)

    def _power(self, grey: torch.Tensor) -> torch.Tensor:
        """Compute the power of each frequency by products with sines and cosines."""
        size = self.size
        windowed = grey * self.window * self.window[:, None] / self.middle
        place = torch.arange(size)
        angle = (place[:, None] * place % size).float() * (2 * torch.pi / size)
        cosine, sine = angle.cos(), angle.sin()
        half = size // 2 + 1
        real, imaginary = windowed @ cosine[:, :half], windowed @ sine[:, :half]
        one = cosine @ real - sine @ imaginary
        other = sine @ real + cosine @ imaginary
        return one * one + other * other

    def _level(self, power: torch.Tensor, octave: int, ways: tuple[int, ...]) -> torch.Tensor:
        count = int(self.counts[octave, list(ways)].sum())
        first = octave * self.counts.shape[1]
        inside = (self.kinds >= first + min(ways)) & (self.kinds <= first + max(ways))
        return torch.log10((power * inside).sum() / max(count, 1) + SMALL)


def _quantiles(values: torch.Tensor, shares: Sequence[float]) -> list[torch.Tensor]:
    last = len(values) - 1
    # Largest first, and no more of them than the smallest quantile needs.
    ordered = values.topk(last - int(np.floor(min(shares) * last)) + 1).values
    found = []
    for share in shares:
        low = int(np.floor(share * last))
        below, above = ordered[last - low], ordered[last - min(low + 1, last)]
        found.append(below + (above - below) * (share * last - low))
    return found
