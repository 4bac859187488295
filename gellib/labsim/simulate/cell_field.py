"""A simulated field of cells: nuclei, outlines, skeleton, and spots drawn in them."""

import numpy as np
from scipy.spatial import cKDTree

from gellib.labsim.simulate.brain import inside
from gellib.labsim.simulate.textures import field, texture


class Cells:
    """A field of cells: where the nuclei are, whose each pixel is, how far from what."""

    def __init__(self, rng, size):
        self.size = size
        spacing = rng.uniform(0.24, 0.44)
        steps = np.arange(-0.5 * spacing, 1 + spacing, spacing)
        grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
        self.centres = grid + rng.normal(0, 0.17 * spacing, grid.shape)
        self.radius = spacing * rng.uniform(0.24, 0.32)
        ticks = (np.arange(size) + 0.5) / size
        self.x, self.y = np.meshgrid(ticks, ticks)
        bent = [field(rng, size, size, 7) * 0.05 * spacing for _ in range(2)]
        points = np.stack([self.x + bent[0], self.y + bent[1]], -1)
        away, owner = cKDTree(self.centres).query(points.reshape(-1, 2), k=2)
        self.away = away[:, 0].reshape(size, size).astype(np.float32)
        self.owner = owner[:, 0].reshape(size, size)
        self.edge = (away[:, 1] - away[:, 0]).reshape(size, size).astype(np.float32) / 2
        count = len(self.centres)
        stretch, turn = rng.uniform(0.82, 1.2, count), rng.uniform(0, np.pi, count)
        dx = points[..., 0] - self.centres[self.owner, 0]
        dy = points[..., 1] - self.centres[self.owner, 1]
        along = dx * np.cos(turn[self.owner]) + dy * np.sin(turn[self.owner])
        beside = dy * np.cos(turn[self.owner]) - dx * np.sin(turn[self.owner])
        scale = stretch[self.owner]
        self.nucleus = np.hypot(along * scale, beside / scale).astype(np.float32) / self.radius
        self.reach = spacing * rng.uniform(0.62, 0.8)
        self.nuclei = inside(1 - self.nucleus, 0.12)
        self.body = inside(self.edge - 0.012 * spacing, 0.02 * spacing)
        self.body = self.body * inside(self.reach - self.away, 0.06 * spacing)
        self.grain = texture(rng, size, size, "rough")
        self.side = rng.uniform(0, 2 * np.pi, count)
        self.skeleton = self._skeleton(rng)

    def _skeleton(self, rng):
        """Filaments that run from the nucleus outwards, bent, and a little haze between them."""
        count = len(self.centres)
        dx, dy = self.x - self.centres[self.owner, 0], self.y - self.centres[self.owner, 1]
        bend = field(rng, self.size, self.size, 14) * 0.9
        spokes = rng.integers(9, 16, count)[self.owner]
        phase = np.arctan2(dy, dx) * spokes + rng.uniform(0, 6.3, count)[self.owner] + bend
        lines = np.exp(-((np.sin(phase) / 0.3) ** 2)) * 0.7
        lines = lines + np.exp(-((np.sin(2.3 * phase + 2 * bend) / 0.25) ** 2)) * 0.35
        fade = np.exp(-self.away / np.float32(0.8 * self.reach))
        image = (0.12 + lines) * (0.4 + 1.2 * self.grain) * fade
        return (image * self.body * (1 - 0.8 * self.nuclei)).astype(np.float32)

    def dots(self, rng, per_cell, *, low, high, radius, wobble=0.3):
        """Draw round spots in each nucleus, `low` to `high` radii of it from its centre.

        Parameters
        ----------
        per_cell
            The fewest and the most spots of a nucleus.
        radius
            Of a spot, in radii of the nucleus.
        low, high
            Distance from the centre of the nucleus, in its radii.
        rng
            Draws numbers, places and sizes.
        wobble
            Standard deviation of the logarithm of a spot's radius.
        """
        image = np.zeros((self.size, self.size), np.float32)
        for centre in self.centres:
            for _ in range(int(rng.integers(per_cell[0], per_cell[1] + 1))):
                turn = rng.uniform(0, 2 * np.pi)
                far = self.radius * np.sqrt(rng.uniform(low**2, high**2))
                place = centre + far * np.array([np.cos(turn), np.sin(turn)])
                self.stamp(image, place, self.radius * radius * np.exp(rng.normal(0, wobble)))
        return image

    def stamp(self, image, place, radius):
        """Add one soft spot; `image` is changed."""
        radius = max(radius, 0.9 / self.size)
        left, top = np.floor((place - 2.5 * radius) * self.size).astype(int)
        right, bottom = np.ceil((place + 2.5 * radius) * self.size).astype(int) + 1
        if right <= 0 or bottom <= 0 or left >= self.size or top >= self.size:
            return
        part = np.s_[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        far = np.hypot(self.x[part] - place[0], self.y[part] - place[1]) / radius
        image[part] = np.maximum(image[part], np.exp(-(far**4)))

    def beside(self, rng, distance, spread):
        """Yield, for each cell, a place beside its nucleus, on the cell's own side."""
        for centre, side in zip(self.centres, self.side, strict=True):
            turn = side + rng.normal(0, spread)
            yield centre + distance * self.radius * np.array([np.cos(turn), np.sin(turn)])
