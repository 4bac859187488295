"""Outdoor scenes: landscapes, buildings, streets with vehicles, skies and seas."""

import numpy as np

from gellib.labsim.simulate.draw import Canvas, chance, mix, pick, ramps
from gellib.labsim.simulate.textures import field, shone_on, texture


def _sky(rng, width, height):
    y = ramps(width, height)[1]
    top, low = rng.uniform(0.2, 0.95, 2)
    sky = mix(np.float32(top), np.float32(low), y) + np.zeros((1, width), np.float32)
    if chance(rng, 0.7):
        clouds = texture(rng, width, height, "cloud", rng.uniform(0.4, 1.5))
        sky = sky + rng.uniform(0.1, 0.9) * (np.clip(clouds, 0.4, None) - 0.4)
    return sky


def _skyline(rng, width, level, rough):
    """Heights (width) of hills: a random walk, smoothed."""
    steps = rng.standard_normal(max(8, width // 8)).cumsum()
    steps = steps - np.linspace(steps[0], steps[-1], len(steps))
    steps = steps / (np.abs(steps).max() + 1e-6)
    at = np.linspace(0, len(steps) - 1, width)
    return level - rough * np.interp(at, np.arange(len(steps)), steps)


def _tree(rng, canvas, x, ground, size, value):
    """A trunk with a crown of many leaves, a fir, a bare tree or a palm."""
    kind = pick(rng, {"crown": 4, "fir": 2, "bare": 1.5, "palm": 1})
    top = ground - size
    canvas.line(
        [[x, ground], [x + rng.normal(0, 0.03) * size, top + 0.3 * size]], value, 0.05 * size
    )
    if kind == "crown":
        count = int(rng.integers(15, 60))
        away = rng.normal(0, 0.19, (count, 2)) * size
        light = value + 0.25 * rng.random(count) - 0.4 * away[:, 1]
        for (dx, dy), shade in zip(away, light, strict=True):
            r = size * rng.uniform(0.03, 0.12)
            canvas.ellipse(x + dx, top + 0.3 * size + dy, r, r * 0.8, shade)
    elif kind == "fir":
        for step in np.linspace(0, 0.75, 5):
            half, y = size * (0.08 + 0.25 * step), top + size * step
            canvas.polygon([[x, y], [x - half, y + 0.3 * size], [x + half, y + 0.3 * size]], value)
    else:
        y = top + 0.35 * size
        for angle in rng.uniform(0, 3.14, 14) if kind == "bare" else np.linspace(-0.5, 3.6, 9):
            reach = size * rng.uniform(0.2, 0.5)
            tip = [x + reach * np.cos(angle), y - reach * np.sin(angle) * 0.8]
            mid = [mix(x, tip[0], 0.5), min(y, tip[1]) - 0.05 * size]
            canvas.line([[x, y], mid, tip], value, 0.018 * size + 0.002)


def landscape(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Hills, fields in perspective, trees, a fence or a path below a sky."""
    image = _sky(rng, width, height)
    x, y = ramps(width, height)
    horizon = rng.uniform(0.25, 0.7)
    for number in range(int(rng.integers(0, 4))):
        line = _skyline(rng, width, horizon + 0.04 * number, rng.uniform(0.02, 0.2))
        cover = texture(rng, width, height, pick(rng, {"foliage": 2, "rough": 2, "fine": 1}), 0.7)
        shade = rng.uniform(0.1, 0.7) + rng.uniform(0.1, 0.6) * (cover - 0.5)
        image = np.where(y > line[None].astype(np.float32), shade, image)
    below = np.clip(y - np.float32(horizon), 0, None)
    ground = rng.uniform(0.15, 0.8) + 0.4 * (texture(rng, width, height, "fine", 0.6) - 0.5)
    kind = pick(rng, {"furrows": 2, "plain": 2, "rows": 1, "path": 1})
    if kind == "furrows":
        fan = (x - np.float32(rng.uniform(-0.2, 1.2))) / (below + 0.03)
        ground = ground * (1 + rng.uniform(0.1, 0.5) * np.sin(rng.uniform(5, 25) * fan))
    elif kind == "rows":
        ground = ground * (1 + rng.uniform(0.1, 0.4) * np.sin(rng.uniform(3, 9) / (below + 0.04)))
    elif kind == "path":
        bend = 0.5 + rng.normal(0, 0.3) * below
        ground = np.where(np.abs(x - bend) < 0.3 * below, rng.uniform(0.5, 0.9), ground)
    image = np.where(below > 0, ground, image)
    canvas = Canvas(width, height, image)
    for _ in range(int(rng.integers(0, 7))):
        foot = horizon + rng.uniform(0, 0.9 - horizon) * rng.random()
        size = rng.uniform(0.08, 0.3) * (1 + 2.2 * (foot - horizon))
        _tree(rng, canvas, rng.random(), foot, size, rng.uniform(0.02, 0.4))
    if chance(rng, 0.2):
        foot, gap = rng.uniform(horizon, 0.95), rng.uniform(0.04, 0.12)
        for post in np.arange(0, 1, gap):
            canvas.line([[post, foot - 0.1], [post, foot]], 0.15, 0.008)
        canvas.line([[0, foot - 0.07], [1, foot - 0.07]], 0.15, 0.006)
    return shone_on(rng, canvas.array())


def sea(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Water or clouds: waves, a boat, an aeroplane, birds, a low sun."""
    image = _sky(rng, width, height)
    x, y = ramps(width, height)
    horizon = rng.uniform(0.3, 0.75) if chance(rng, 0.75) else 1.2
    waves = texture(rng, width, height, "fibres", rng.uniform(0.5, 2))
    below = np.clip(y - np.float32(horizon), 0, None)
    swell = np.sin(rng.uniform(2, 7) / (below + 0.05) + 3 * field(rng, width, height, 5))
    water = rng.uniform(0.15, 0.7) + 0.5 * (waves - 0.5) + rng.uniform(0, 0.15) * swell
    sun = rng.uniform(0.2, 0.8)
    if chance(rng, 0.5):
        away = (x - np.float32(sun)) ** 2
        glow = np.exp(-(away + (y - np.float32(horizon - 0.12)) ** 2) * 40)
        image = image + 0.7 * glow
        water = water + rng.uniform(0.1, 0.7) * np.exp(-away * 50) * waves
    image = np.where(below > 0, water, image)
    canvas = Canvas(width, height, image)
    dark = rng.uniform(0.0, 0.25) if chance(rng, 0.7) else 0.95
    cx, size = rng.uniform(0.25, 0.75), rng.uniform(0.05, 0.25)
    kind = pick(rng, {"boat": 2, "aeroplane": 2, "birds": 1, "none": 1})
    if kind == "boat" and horizon < 1:
        cy = horizon + rng.uniform(0, 0.15)
        hull = [[-1, 0], [1, 0], [0.7, 0.3], [-0.7, 0.3]]
        canvas.polygon(np.array(hull) * size + [cx, cy], dark)
        canvas.polygon(np.array([[0, -1.6], [0, -0.1], [0.8, -0.1]]) * size + [cx, cy], 1 - dark)
    elif kind == "aeroplane":
        cy, lean = rng.uniform(0.15, 0.5), rng.normal(0, 0.2)
        spin = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
        for part in (
            [[-1.2, 0], [-1, -0.1], [1, -0.09], [1.3, 0], [1, 0.08], [-1, 0.06]],
            [[-0.2, 0], [0.3, 0], [-0.6, 0.6], [-0.8, 0.6]],
            [[-1.2, 0], [-0.9, 0], [-1.2, -0.45], [-1.35, -0.45]],
            [[-0.1, 0], [0.2, 0], [-0.3, -0.3], [-0.45, -0.3]],
        ):
            canvas.polygon(np.array(part) * size @ spin.T + [cx, cy], dark)
    elif kind == "birds":
        for px, py, reach in rng.uniform(
            [0, 0, 0.01], [1, 0.5, 0.04], (int(rng.integers(3, 20)), 3)
        ):
            wing = [[px - reach, py - reach / 2], [px, py], [px + reach, py - reach / 2]]
            canvas.line(wing, dark, 0.006)
    return shone_on(rng, canvas.array())


def building(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Blocks and towers with rows of windows, or one façade, straight or from below."""
    canvas = Canvas(width, height, _sky(rng, width, height))
    near = chance(rng, 0.35)
    ground = rng.uniform(0.75, 1.0)
    for _ in range(1 if near else int(rng.integers(2, 8))):
        wide = rng.uniform(0.7, 1.3) if near else rng.uniform(0.1, 0.45)
        left = rng.uniform(-0.25, 0.25) if near else rng.uniform(-0.1, 0.95)
        top = rng.uniform(-0.1, 0.2) if near else rng.uniform(0.1, 0.65)
        wall, glass = rng.uniform(0.1, 0.95), rng.uniform(0.0, 1.0)
        lean = rng.normal(0, 0.15) * near
        canvas.polygon(
            [[left, ground], [left + lean, top], [left + wide + lean, top], [left + wide, ground]],
            wall,
        )
        rows, columns = int(rng.integers(3, 12)), int(rng.integers(2, 10))
        fill_x, fill_y = rng.uniform(0.3, 0.85, 2)
        lit = rng.uniform(0, 0.4, (rows, columns)) * (rng.random((rows, columns)) < 0.5)
        for row in range(rows):
            y0 = top + (row + 0.3) * (ground - top) / rows
            y1 = y0 + fill_y * (ground - top) / rows
            slip = lean * (ground - y0) / max(ground - top, 0.1)
            for column in range(columns):
                x0 = left + slip + (column + 0.2) * wide / columns
                shade = glass + lit[row, column]
                canvas.box(x0, y0, x0 + fill_x * wide / columns, y1, shade)
        if chance(rng, 0.4):
            roof = [[left + lean - 0.01, top], [left + wide + 0.01, top]]
            canvas.polygon([*roof, [left + wide / 2, top - rng.uniform(0.03, 0.15)]], wall * 0.6)
    image = canvas.array()
    pavement = texture(rng, width, height, "fine", 0.7) * rng.uniform(0.2, 0.8)
    image = np.where(ramps(width, height)[1] > ground, pavement, image)
    return shone_on(rng, image * (0.85 + 0.3 * texture(rng, width, height, "rough")))


def street(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A vehicle on a road, with poles, a sign and trees behind it."""
    image = _sky(rng, width, height)
    y = ramps(width, height)[1]
    road = rng.uniform(0.55, 0.75)
    hedge = rng.uniform(0.1, 0.5) + 0.5 * (texture(rng, width, height, "foliage") - 0.5)
    line = _skyline(rng, width, road - rng.uniform(0.05, 0.3), 0.08)
    image = np.where(y > line[None].astype(np.float32), hedge, image)
    tar = rng.uniform(0.2, 0.7) + 0.2 * (texture(rng, width, height, "fine", 0.5) - 0.5)
    canvas = Canvas(width, height, np.where(y > np.float32(road), tar, image))
    for pole in rng.random(int(rng.integers(0, 4))):
        canvas.line(
            [[pole, rng.uniform(0.05, 0.3)], [pole, road + 0.05]], rng.uniform(0, 0.3), 0.015
        )
        if chance(rng, 0.4):
            canvas.ellipse(pole, 0.25, 0.06, 0.06, rng.random(), 0.95)
    if chance(rng, 0.4):
        _tree(rng, canvas, rng.random(), road, rng.uniform(0.3, 0.6), rng.uniform(0, 0.3))
    for dash in np.arange(rng.random() * 0.1, 1, 0.2):
        canvas.line([[dash, 0.95], [dash + 0.1, 0.95]], 0.9, 0.012)
    for _ in range(int(rng.integers(1, 3))):
        long, x0, body = rng.uniform(0.25, 0.7), rng.uniform(0.02, 0.5), rng.uniform(0.05, 0.95)
        foot, tall = rng.uniform(road + 0.05, 0.92), long * rng.uniform(0.25, 0.4)
        side = 1 if chance(rng, 0.5) else -1
        place = [x0 + long / 2, foot]

        def at(points, place=place, scale=(long * side / 2, tall)):
            return np.array(points) * scale + place

        canvas.ellipse(place[0], foot, long * 0.53, 0.025, 0.08)
        roof = [[-0.75, -0.5], [-0.5, -1], [0.25, -1], [0.6, -0.52]]
        hood = [[-1, -0.12], [-0.98, -0.5], [0.6, -0.55], [0.95, -0.4], [1, -0.12]]
        canvas.polygon(at(roof), body * 0.85)
        canvas.polygon(at([[-0.65, -0.52], [-0.45, -0.93], [-0.15, -0.93], [-0.15, -0.52]]), 0.15)
        canvas.polygon(at([[-0.08, -0.52], [-0.08, -0.93], [0.22, -0.93], [0.48, -0.52]]), 0.2)
        canvas.polygon(at(hood), body)
        canvas.line(at([[-0.97, -0.4], [0.9, -0.36]]), min(1, body + 0.25), 0.006)
        cx, cy = at([0.9, -0.35])
        canvas.ellipse(cx, cy, 0.02, 0.02, 0.95)
        for wheel in (-0.6, 0.6):
            cx, cy = at([wheel, -0.08])
            canvas.ellipse(cx, cy, tall * 0.26, tall * 0.26, 0.05)
            canvas.ellipse(cx, cy, tall * 0.14, tall * 0.14, 0.65)
    return shone_on(rng, canvas.array())


CLASSES = {"landscape": landscape, "sea": sea, "building": building, "street": street}
