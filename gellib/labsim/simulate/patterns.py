"""Patterns without a subject: tessellations, weaves and walls, fringes, slats."""

import numpy as np
from scipy.spatial import cKDTree

from gellib.labsim.simulate.draw import Canvas, chance, mix, pick, ramps, resized
from gellib.labsim.simulate.textures import field, texture


def tessellation(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Mosaics, cracks, giraffe coats: cells around random or regular points."""
    count = int(10 ** rng.uniform(0.9, 2.5))
    points = rng.random((count, 2)) * [width, height]
    if chance(rng, 0.3):
        side = int(np.sqrt(count)) + 1
        regular = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
        points = (regular + rng.normal(0, 0.2, regular.shape)) / side * [width, height]
    half = (height + 1) // 2, (width + 1) // 2
    grid = np.stack(np.meshgrid(np.arange(half[1]), np.arange(half[0])), -1).reshape(-1, 2) * 2
    if chance(rng, 0.3):
        grid = grid + 4 * np.stack(
            [field(rng, *half[::-1], 6), field(rng, *half[::-1], 6)], -1
        ).reshape(-1, 2)
    away, which = cKDTree(points).query(grid, k=2)
    edge = (away[:, 1] - away[:, 0]).reshape(half).astype(np.float32)
    shades = rng.uniform(0.05, 0.95, len(points)).astype(np.float32)[which[:, 0]].reshape(half)
    image = resized(shades, width, height) if chance(rng, 0.75) else np.full((height, width), 0.6)
    line = rng.uniform(1.0, 4) * max(1, min(width, height) / 160)
    if chance(rng, 0.6):
        image = mix(rng.random(), image, np.clip(resized(edge, width, height) / line, 0, 1))
    return image * (0.8 + 0.4 * texture(rng, width, height))


def weave(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Bricks, cloth, tiles, wood, stone, fur: one texture over the whole frame."""
    x, y = ramps(width, height)
    kind = pick(rng, {"bricks": 3, "cloth": 2, "checks": 2, "grain": 4})
    base = texture(rng, width, height, zoom=10 ** rng.uniform(-0.4, 0.6))
    if kind == "grain":
        return base if chance(rng, 0.5) else base * 0.6 + 0.4 * texture(rng, width, height)
    count, tall = rng.uniform(4, 22), rng.uniform(1, 3)
    turn = rng.normal(0, 0.15)
    u, v = x + turn * y, (y - turn * x) * tall
    if kind == "bricks":
        row = np.floor(v * count)
        u = u * count + 0.5 * (row % 2)
        gap = rng.uniform(0.04, 0.15)
        joint = ((u % 1) < gap) | ((v * count % 1) < gap * tall)
        tone = np.sin(np.floor(u) * 12.99 + row * 78.2) * 437.5 % 1
        body = rng.uniform(0.2, 0.8) + 0.3 * (tone - 0.5)
        image = np.where(joint, rng.random(), body)
    elif kind == "cloth":
        image = 0.5 + 0.2 * np.sin(count * 12 * u) * np.sin(count * 12 * v / tall)
        image = image + 0.2 * np.sign(np.sin(count * u)) * (np.sin(count * v / tall) > 0)
    else:
        image = rng.uniform(0.1, 0.5) + 0.4 * ((np.floor(u * count) + np.floor(v * count)) % 2)
    return image * (0.6 + 0.8 * base)


def fringes(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Interference, contour lines, ripples, zebra stripes, finger prints."""
    x, y = ramps(width, height)
    image = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        kind = pick(rng, {"plane": 2, "rings": 2, "contours": 3})
        wave = rng.uniform(8, 90)
        if kind == "plane":
            turn = rng.uniform(0, 3.1)
            phase = wave * (np.cos(turn) * x + np.sin(turn) * y) + field(rng, width, height, 3)
        elif kind == "rings":
            phase = wave * np.hypot(x - rng.normal(0.5, 0.5), y - rng.normal(0.5, 0.5))
        else:
            phase = wave * 0.3 * field(rng, width, height, rng.uniform(2, 5))
        image = image + np.sin(phase)
    sharp = rng.uniform(0.5, 8)
    return 0.5 + 0.45 * np.tanh(sharp * image)


def slats(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Upright or level repetition: book shelves, blinds, pipes, racks, piano keys."""
    canvas = Canvas(width, height, texture(rng, width, height) * rng.uniform(0.2, 1))
    kind = pick(rng, {"books": 3, "blinds": 2, "pipes": 2, "keys": 1, "rack": 2})
    rows = int(rng.integers(1, 4)) if kind in ("books", "rack") else 1
    for row in range(rows):
        top, low = row / rows, (row + 1) / rows
        x = rng.uniform(0, 0.05)
        while x < 1:
            wide = rng.uniform(0.02, 0.09) if kind == "books" else 0.0
            if kind == "books":
                tall, value = rng.uniform(0.65, 0.95) / rows, rng.random()
                lean = rng.normal(0, 0.01)
                shape = [[x, low - 0.03], [x + lean, low - tall], [x + lean + wide, low - tall]]
                canvas.polygon([*shape, [x + wide, low - 0.03]], value, value * 0.5, 0.003)
                for mark in rng.uniform(low - tall, low - 0.05, int(rng.integers(0, 4))):
                    canvas.line([[x + 0.005, mark], [x + wide - 0.005, mark]], rng.random(), 0.012)
            elif kind == "rack":
                wide = rng.uniform(0.05, 0.07)
                value, fill = rng.uniform(0.5, 1), rng.uniform(0.2, 0.8)
                canvas.box(
                    x, top + 0.1 / rows, x + wide * 0.7, low - 0.08 / rows, value, 0.2, 0.004
                )
                y = mix(low - 0.1 / rows, top, fill)
                canvas.box(x + 0.006, y, x + wide * 0.7 - 0.006, low - 0.1 / rows, rng.random())
                canvas.box(x, top + 0.04 / rows, x + wide * 0.7, top + 0.14 / rows, rng.random())
            else:
                break
            x += wide
        canvas.box(0, low - 0.03, 1, low, rng.uniform(0.05, 0.6))
    image = canvas.array()
    across, down = ramps(width, height)
    count = rng.uniform(6, 30)
    if kind in ("blinds", "pipes"):
        along = down if kind == "blinds" else across
        phase = (along + rng.normal(0, 0.05) * (across + down)) * count % 1
        image = image * 0.4 + rng.uniform(0.3, 0.9) * np.sin(np.pi * phase) ** rng.uniform(0.3, 3)
    elif kind == "keys":
        phase = across * count % 1
        image = np.where(phase < 0.05, 0.1, 0.9) + 0 * down
        black = (
            (np.abs(phase - 0.02) < 0.28)
            & (down < 0.6)
            & (np.floor(across * count + 0.5) % 7 % 3 != 0)
        )
        image = np.where(black, 0.05, image)
    return image


CLASSES = {"tessellation": tessellation, "weave": weave, "fringes": fringes, "slats": slats}
