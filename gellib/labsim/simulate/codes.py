"""Codes that machines read: bars and squares, which look a little like bands."""

import numpy as np

from gellib.labsim.simulate.documents import laid, new_paper
from gellib.labsim.simulate.draw import Canvas, chance, mix, resized
from gellib.labsim.simulate.textures import texture


def _shown(rng, code, width, height, stretch=1.0):
    """Put a pattern of dark (1) and light (0) modules on a sheet, sharp, at any size and angle."""
    ground, ink, paper = new_paper(rng, width, height)
    if chance(rng, 0.4):
        # Anything may lie around a code, but a quiet zone of paper always does.
        ground = texture(rng, width, height)
    share = rng.uniform(0.4, 1.0)
    tall = round(min(height * share, height) * min(1, stretch))
    wide = round(min(width * share * min(1.0, 1 / stretch), width))
    pattern = np.kron(np.pad(code, 1), np.ones((4, 4), np.float32))
    pattern = mix(paper, ink, resized(pattern, max(8, wide), max(8, tall)))
    x = int(rng.integers(0, width - pattern.shape[1] + 1))
    y = int(rng.integers(0, height - pattern.shape[0] + 1))
    image = np.array(ground, np.float32)
    image[y : y + pattern.shape[0], x : x + pattern.shape[1]] = pattern
    canvas = Canvas(width, height, image, over=1)
    if chance(rng, 0.4):
        digits = " ".join(str(n) for n in rng.integers(100, 99999, 3))
        canvas.text(x / width, min(0.92, (y + pattern.shape[0]) / height), digits, 0.06, ink)
    return laid(rng, canvas.array(), 0.5)


def bar_code(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Bar codes of any density, lying, standing, on packets, stacked or several."""
    bars = np.repeat(np.arange(400) % 2, rng.integers(1, 5, 400))[: int(rng.integers(30, 130))]
    code = np.repeat(
        bars[None].astype(np.float32), max(6, int(len(bars) * rng.uniform(0.2, 0.7))), 0
    )
    if chance(rng, 0.2):
        # PDF417 and its like: rows of bars.
        rows = int(rng.integers(4, 20))
        code = np.stack([rng.permutation(bars) for _ in range(rows)]).astype(np.float32)
        code = np.repeat(code, 3, 0)
    if chance(rng, 0.4):
        return _shown(rng, code.T, width, height, 1.0)
    return _shown(rng, code, width, height, rng.uniform(0.3, 0.9))


def code_2d(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """QR, Data Matrix, Aztec and crossword-like patterns of square modules."""
    count = int(rng.integers(10, 50))
    kind = str(rng.choice(["qr", "qr", "matrix", "aztec", "cross", "dots"]))
    if kind == "cross":
        count = int(rng.integers(5, 18))
    code = (rng.random((count, count)) < rng.uniform(0.35, 0.6)).astype(np.float32)
    if kind == "qr" and count >= 18:
        finder = np.ones((7, 7), np.float32)
        finder[1:6, 1:6] = 0
        finder[2:5, 2:5] = 1
        corner = np.pad(finder, ((0, 1), (0, 1)))
        code[:8, :8], code[:8, -8:], code[-8:, :8] = corner, corner[:, ::-1], corner[::-1]
        code[6, 8:-8] = code[8:-8, 6] = np.arange(count - 16) % 2 == 0
    elif kind == "matrix":
        code[:, 0] = code[-1] = 1
        code[0, ::2], code[::2, -1] = 1, 1
    elif kind == "aztec":
        away = np.abs(np.mgrid[:count, :count] - count // 2).max(0)
        code = np.where(away < 6, away % 2 == 0, code).astype(np.float32)
    elif kind == "cross":
        code *= rng.random((count, count)) < 0.7
    elif kind == "dots":
        code = np.kron(code, np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]], np.float32))
    return _shown(rng, code, width, height)


CLASSES = {"bar_code": bar_code, "code_2d": code_2d}
