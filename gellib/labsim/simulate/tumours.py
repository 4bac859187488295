"""Simulated brain tumours: how they displace the brain, and their appearance."""

import numpy as np

from gellib.labsim.simulate.brain import BRAIN_EDGE, Head, inside
from gellib.labsim.simulate.draw import chance, pick
from gellib.labsim.simulate.textures import field

_TUMOURS = {"ring": 0.36, "solid": 0.3, "mass": 0.22, "cyst": 0.12}


class Tumours:
    """The tumours of an image: how they displace the brain, and their appearance."""

    def __init__(self, rng, across, along):
        self.rng, self.across, self.along = rng, across, along
        self.found = []

    def add_tumour(self, head: Head, weighting: str) -> None:
        """Place one more tumour inside of a head, as a weighting shows it."""
        rng = self.rng
        size = float(np.exp(rng.uniform(np.log(0.075), np.log(0.34))))
        away = rng.uniform(0.12, max(0.2, BRAIN_EDGE - 0.55 * size - 0.06))
        angle = rng.uniform(0.15, np.pi - 0.15) * rng.choice([-1, 1])
        x, y = away * np.sin(angle), -away * np.cos(angle)
        turn = np.arctan2(self.along - y, self.across - x)
        ripple = sum(
            rng.normal(0, 0.13 / n**0.7) * np.cos(n * turn + rng.uniform(0, 6.3))
            for n in range(2, 7)
        )
        distance = np.hypot(self.across - x, self.along - y) / (size * (1 + ripple))
        swollen = rng.uniform(1.2, 2.6) if chance(rng, 0.65) else 0.0
        self.found.append((x, y, size, distance, swollen, pick(rng, _TUMOURS), weighting))

    def pushed(self, across, along):
        """Return where each pixel of the slice was before the tumours displaced it."""
        for x, y, size, *_ in self.found:
            dx, dy = across - np.float32(x), along - np.float32(y)
            far = np.hypot(dx, dy) + np.float32(1e-3)
            push = np.float32(0.35 * size) * np.exp(-((far / np.float32(2.2 * size)) ** 2))
            across, along = across - push * dx / far, along - push * dy / far
        return across, along

    def drawn(self, image, brain):
        """Draw the tumours, and the water around them, into a slice (height, width)."""
        rng = self.rng
        height, width = image.shape
        for _, _, size, distance, swollen, kind, weighting in self.found:
            bright = weighting in ("T2", "FLAIR")
            grain = field(rng, width, height, 26)
            if swollen:
                ragged = distance + np.float32(0.25) * field(rng, width, height, 9)
                water = 0.82 if bright else 0.27
                around = inside(swollen - ragged, 0.5) * np.float32(rng.uniform(0.45, 0.9))
                image = image + (np.float32(water) - image) * around * brain
            edge = inside(1 - distance, min(0.4, 0.02 / size))
            strength = np.float32(
                rng.uniform(0.5, 1.0) if chance(rng, 0.7) else rng.uniform(0.2, 0.5)
            )
            if kind in ("ring", "cyst"):
                core = rng.uniform(0.45, 0.75) if kind == "ring" else 0.88
                within = inside(core - distance + np.float32(0.05) * grain, 0.12)
                rim = 0.95 if kind == "ring" or chance(rng, 0.5) else 0.6
                dark = 0.9 if bright and kind == "cyst" else rng.uniform(0.1, 0.4)
                value = np.float32(rim) + np.float32(dark - rim) * within
            elif kind == "solid":
                value = np.float32(rng.uniform(0.7, 1.0)) + np.float32(0.03) * grain
            else:
                value = np.float32(rng.uniform(0.35, 0.75)) + np.float32(0.16) * grain
            image = image + (np.clip(value, 0, 1.1) - image) * edge * brain * strength
        return image
