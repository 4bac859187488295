"""How molecules run in a gel: lanes, ladders, bands, smears and wells as one field of signal."""

from dataclasses import dataclass, field

import numpy as np

from gellib.labsim.simulate.assays import ASSAYS
from gellib.labsim.simulate.draw import chance, pick
from gellib.labsim.simulate.textures import texture

# Fragment lengths (base pairs) and masses (kDa) of usual ladders, and the bands made stronger.
LADDERS = {
    "100 bp": ((1517, 1200, 1000, 900, 800, 700, 600, 500, 400, 300, 200, 100), (1000, 500)),
    "50 bp": ((500, 450, 400, 350, 300, 250, 200, 150, 100, 50), (500, 200)),
    "1 kb": ((10000, 8000, 6000, 5000, 4000, 3000, 2000, 1500, 1000, 500, 250), (3000, 1000)),
    "lambda": ((23130, 9416, 6557, 4361, 2322, 2027, 564), ()),
    "protein": ((250, 150, 100, 75, 50, 37, 25, 20, 15, 10), (75, 25)),
    "broad protein": ((180, 130, 100, 70, 55, 40, 35, 25, 15, 10), (70,)),
}


@dataclass
class Sheet:
    """One gel before any stain or camera; pixels.

    Attributes
    ----------
    signal
        How much there is to be seen (height, width), 0 or more; 1 is a strong band.
    wells
        The pockets (height, width): about 1 inside.
    columns, rows, marks
        Where lanes and ladder bands are, as fractions, and what the latter are called.
    """

    signal: np.ndarray
    wells: np.ndarray
    columns: tuple
    rows: tuple = ()
    marks: tuple = ()


@dataclass
class _Run:
    """Where lanes and fronts are; bands are collected here as flat arrays."""

    width: int
    height: int
    centres: np.ndarray
    half: float
    top: float
    front: float
    low: float
    high: float
    bend: float
    sigma: float
    parts: list = field(default_factory=list)

    def migrate(self, size):
        """Return how far down (px) molecules of a size come: linear in the logarithm, but bent."""
        share = np.log(self.high / np.asarray(size, float)) / np.log(self.high / self.low)
        return self.top + (self.front - self.top) * np.clip(share, 0.01, 1.1) ** self.bend

    def add(self, lane, y, strength, sigma=1.0, tail=1.0, wide=1.0):
        """Add bands; each argument is a number or an array, and arrays are broadcast.

        Parameters
        ----------
        lane
            Number of the lane, from 0.
        y
            Distance from the top, px.
        strength
            How much of the signal it has.
        sigma
            Thickness relative to the gel's own.
        wide
            Width relative to the lane's own.
        tail
            Length of the upward tail relative to the gel's own.
        """
        parts = np.broadcast_arrays(lane, y, strength, sigma, tail, wide)
        self.parts.append(np.stack([np.ravel(part).astype(np.float32) for part in parts]))


def run_gel(
    rng: np.random.Generator,
    width: int,
    height: int,
    *,
    assays: dict[str, float],
    lanes: tuple[int, int] = (4, 16),
    protein: bool = False,
    ladder: float = 0.85,
) -> Sheet:
    """Run one gel.

    Parameters
    ----------
    assays
        Weights of what is in the lanes; keys of `gellib.labsim.simulate.assays.ASSAYS`.
    lanes
        The fewest and the most lanes.
    protein
        Ladder and range of a protein gel instead of a DNA gel.
    ladder
        Probability of a ladder at one or both sides.
    """
    count = int(rng.integers(lanes[0], lanes[1] + 1))
    kind = str(rng.choice(["protein", "broad protein"] if protein else list(LADDERS)[:4]))
    sizes, strong = LADDERS[kind]
    left, right = rng.uniform(0.01, 0.12, 2)
    if count < 8 and chance(rng, 0.35):
        # Few lanes used of many: the rest of the gel stays empty.
        left, right = (left, right + 0.35) if chance(rng, 0.7) else (left + 0.3, right)
    pitch = width * (1 - left - right) / count
    centres = width * left + pitch * (np.arange(count) + 0.5) + rng.normal(0, 0.015, count) * pitch
    top = height * rng.uniform(0.02, 0.16)
    run = _Run(
        width,
        height,
        centres.astype(np.float32),
        pitch * rng.uniform(0.28, 0.46),
        top,
        min(height * rng.uniform(0.7, 0.99), height * 0.97),
        min(sizes) * rng.uniform(0.6, 1.0),
        max(sizes) * np.exp(rng.uniform(0, 1.6)),
        rng.uniform(0.75, 1.25),
        max(0.6, height * 10 ** rng.uniform(-2.45, -1.95)),
    )
    places = []
    if chance(rng, ladder):
        places = [0, count - 1] if chance(rng, 0.25) else [0 if chance(rng, 0.65) else count - 1]
        if chance(rng, 0.15):
            places = [int(rng.integers(count))]
    used = np.setdiff1d(np.arange(count), places)
    ASSAYS[pick(rng, assays)](rng, run, used)
    rows, brightness = run.migrate(sizes), rng.uniform(0.3, 0.9)
    for place in places:
        amount = brightness * rng.uniform(0.5, 1.0, len(sizes)) * np.linspace(1, 0.6, len(sizes))
        amount[np.isin(sizes, strong)] *= rng.uniform(1.3, 2.5)
        run.add(place, rows, amount, rng.uniform(0.7, 1.0))
    return Sheet(
        _render(rng, run),
        _wells(rng, run),
        tuple(run.centres / width),
        tuple(rows / height),
        tuple(f"{size / 1000:g}" if kind in ("1 kb", "lambda") else str(size) for size in sizes),
    )


def _render(rng, run):
    """Add all bands up: each is a vertical times a horizontal profile, so one product of matrices.

    The columns are then shifted, which gives smiles, frowns and slanting lanes.
    """
    bands = np.concatenate(run.parts, axis=1)
    lane, y, strength, sigma, tail, wide = bands[:, bands[2] > 0.005]
    away = (np.arange(run.height, dtype=np.float32)[None] - y[:, None]) / run.sigma
    away /= np.where(away < 0, (sigma * tail)[:, None], sigma[:, None])
    down = strength[:, None] * np.exp(-0.5 * np.abs(away) ** np.float32(rng.uniform(1.9, 3)))
    offset = run.centres[lane.astype(int)] + rng.normal(0, 0.02, len(lane)) * run.half
    x = np.arange(run.width, dtype=np.float32)[None]
    u = (x - offset[:, None].astype(np.float32)) / (run.half * wide[:, None])
    across = np.exp(-(np.abs(u) ** np.float32(rng.uniform(2.5, 9))))
    if chance(rng, 0.3):
        across *= 1 + np.float32(rng.uniform(-0.5, 0.8)) * np.clip(u * u, 0, 1)
    signal = down.T @ across
    return _bent(rng, run, signal)


def _bent(rng, run, signal):
    x = np.linspace(-1, 1, run.width, dtype=np.float32)
    shift = rng.normal(0, 0.012) * x + rng.normal(0, 0.014) * x * x
    if chance(rng, 0.6):
        nearest = np.abs(np.arange(run.width)[:, None] - run.centres[None]).argmin(1)
        inside = (np.arange(run.width) - run.centres[nearest]) / run.half
        curve = rng.normal(0, 0.006) + rng.normal(0, 0.002, len(run.centres))
        shift = shift + curve[nearest] * np.clip(inside, -1.2, 1.2) ** 2
        shift = shift + rng.normal(0, 0.003, len(run.centres))[nearest]
    growth = np.linspace(0.3, 1, run.height, dtype=np.float32)[:, None]
    source = np.arange(run.height, dtype=np.float32)[:, None]
    source = source - growth * (shift * run.height).astype(np.float32)[None]
    source = np.clip(source, 0, run.height - 1.001)
    above = source.astype(np.int32)
    share = source - above
    columns = np.arange(run.width)[None]
    bent = signal[above, columns] * (1 - share) + signal[above + 1, columns] * share
    if chance(rng, 0.5):
        bent *= 1 + rng.uniform(0.05, 0.35) * (texture(rng, run.width, run.height, "rough") - 0.5)
    return bent


def _wells(rng, run):
    y = (np.arange(run.height, dtype=np.float32) - run.top + 2 * run.sigma) / run.height
    deep = rng.uniform(0.006, 0.022)
    x = np.arange(run.width, dtype=np.float32)[None]
    u = (x - run.centres[:, None]) / (run.half * rng.uniform(0.85, 1.15))
    each = rng.uniform(0.6, 1.2, (len(run.centres), 1))
    across = (np.exp(-(np.abs(u) ** 6)) * each).sum(0)
    return np.outer(np.exp(-((np.abs(y) / deep) ** 3)), across).astype(np.float32)
