"""Things near the camera: leaves, solids, flowers, desks, portraits, dishes of food."""

import numpy as np

from gellib.labsim.simulate.draw import Canvas, chance, mix, pick, ramps, word
from gellib.labsim.simulate.textures import field, shone_on, texture


def _ground(rng, width, height):
    """A background: plain, sloping, blurred lights, or a texture."""
    x, y = ramps(width, height)
    kind = pick(rng, {"slope": 4, "texture": 3, "blur": 2, "stripes": 1})
    level = rng.uniform(0.05, 0.95)
    if kind == "texture":
        return level + rng.uniform(0.1, 0.6) * (texture(rng, width, height) - 0.5)
    if kind == "blur":
        return np.clip(level + 0.25 * field(rng, width, height, 6), 0, 1)
    if kind == "stripes":
        turn = rng.uniform(-1, 1) * x + rng.uniform(-1, 1) * y
        return level + 0.15 * np.sign(np.sin(rng.uniform(10, 60) * turn))
    slope = rng.normal(0, 0.35, 2).astype(np.float32)
    return np.clip(level + slope[0] * (x - 0.5) + slope[1] * (y - 0.5), 0, 1)


def leaves(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Fallen leaves, pebbles or chips over each other, shaded, veined."""
    fine = texture(rng, width, height, "foliage", rng.uniform(0.6, 2))
    canvas = Canvas(width, height, fine if chance(rng, 0.7) else _ground(rng, width, height))
    size = rng.uniform(0.05, 0.16)
    count = int(min(80, 0.8 / size**2 * rng.uniform(0.2, 1)))
    round_ = chance(rng, 0.3)
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    for _ in range(count):
        x, y, turn, value = rng.random(4) * [1, 1, 6.3, 1]
        if round_:
            reach = 1 + 0.15 * rng.standard_normal(14)
        else:
            reach = (0.3 + 0.7 * np.abs(np.cos(angles)) ** 3) * rng.uniform(0.8, 1.2, 14)
        shape = size * rng.uniform(0.6, 1.4) * reach[:, None]
        shape = shape * np.stack([np.cos(angles + turn), np.sin(angles + turn)], 1) + [x, y]
        canvas.polygon(shape + 0.012, value * 0.25)
        canvas.polygon(shape, value)
        if not round_:
            canvas.line([shape[0], shape[7]], value * 0.7, 0.004)
    image = canvas.array()
    return shone_on(rng, image * (0.7 + 0.6 * texture(rng, width, height, "rough", 0.7)))


def solids(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Balls, boxes, cylinders and glasses, lit from one side, on a table."""
    x, y = ramps(width, height)
    table = np.float32(rng.uniform(0.4, 0.8))
    image = np.where(y > table, rng.uniform(0.1, 0.9) + 0 * x, _ground(rng, width, height))
    light = rng.normal(0, 1, 2)
    light /= np.hypot(*light) + 1e-6
    for _ in range(int(rng.integers(1, 6))):
        cx, cy = rng.uniform(0.1, 0.9), rng.uniform(0.3, 0.9)
        rx, ry = rng.uniform(0.06, 0.28, 2)
        value = rng.uniform(0.15, 1.0)
        u, v = (x - np.float32(cx)) / np.float32(rx), (y - np.float32(cy)) / np.float32(ry)
        shadow = np.exp(-((u - 0.3 * light[0]) ** 2) - ((v - 1.0) * 3) ** 2)
        image = image * (1 - 0.5 * shadow)
        kind = pick(rng, {"ball": 3, "cylinder": 2, "box": 2, "glass": 1})
        if kind == "ball":
            inside = 1 - u * u - v * v
            shade = 0.35 * np.sqrt(np.clip(inside, 0, 1)) + 0.35 * (
                light[0] * u - np.abs(light[1]) * v
            )
            image = np.where(inside > 0, value * (0.5 + shade), image)
            image = image + 0.5 * np.exp(-((u - 0.4 * light[0]) ** 2 + (v + 0.4) ** 2) * 25)
        elif kind == "box":
            front = (np.abs(u) < 1) & (np.abs(v) < 1)
            lean = 0.5 * np.sign(light[0] + 1e-9)
            top = (v < -1) & (v > -1.5) & (np.abs(u + lean * (v + 1)) < 1)
            image = np.where(front, value * (0.7 + 0.1 * u), np.where(top, value, image))
        else:
            inside = (np.abs(u) < 1) & (v < 1 + 0.2 * np.sqrt(np.clip(1 - u * u, 0, 1)))
            inside &= v > -1 - 0.2 * np.sqrt(np.clip(1 - u * u, 0, 1))
            curve = 0.6 + 0.35 * light[0] * u + 0.3 * np.sqrt(np.clip(1 - u * u, 0, 1))
            if kind == "glass":
                clear = image * 0.8 + 0.25 * u**8 + 0.15 * (np.abs(u + 0.6) < 0.08)
                clear = clear * np.where(v > rng.uniform(-0.5, 0.5), 0.75, 1.0)
                image = np.where(inside, clear, image)
            else:
                image = np.where(inside, value * curve, image)
    return shone_on(rng, image * (0.9 + 0.2 * texture(rng, width, height, "fine")))


def flower(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Blossoms of many kinds, near or in a bunch, on stems."""
    canvas = Canvas(width, height, _ground(rng, width, height))
    many = chance(rng, 0.6)
    for _ in range(int(rng.integers(3, 12)) if many else 1):
        cx, cy = rng.uniform(0.1, 0.9, 2) if many else rng.uniform(0.4, 0.6, 2)
        size = rng.uniform(0.06, 0.2) if many else rng.uniform(0.25, 0.5)
        value, dark = rng.uniform(0.3, 1.0), rng.uniform(0.05, 0.35)
        foot = [cx + rng.normal(0, 0.1), 1.05]
        canvas.line([[cx, cy], [mix(cx, foot[0], 0.4), mix(cy, 1.05, 0.5)], foot], dark, 0.012)
        petals = int(rng.integers(4, 16))
        layers = int(rng.integers(1, 4))
        for layer in range(layers):
            reach = size * (1 - 0.3 * layer)
            for turn in np.linspace(0, 2 * np.pi, petals, endpoint=False) + rng.random() + layer:
                along = np.array([np.cos(turn), np.sin(turn) * 0.85]) * reach
                side = np.array([-along[1], along[0]]) * min(0.5, 2.6 / petals)
                shape = np.array([0 * along, 0.5 * along + side, along, 0.5 * along - side])
                shade = value * (0.75 + 0.25 * np.sin(turn) + 0.06 * layer)
                canvas.polygon(shape + [cx, cy], shade, shade * 0.6, 0.003)
        if chance(rng, 0.7):
            canvas.ellipse(cx, cy, size * 0.2, size * 0.18, rng.random())
    image = canvas.array()
    return shone_on(rng, image * (0.8 + 0.4 * texture(rng, width, height, "cloud")))


def desk(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A table in a room: computer, cup, sheets of paper, a plant, a window behind."""
    edge = rng.uniform(0.35, 0.65)
    y = ramps(width, height)[1]
    kind = pick(rng, {"fibres": 3, "cloud": 1, "fine": 1})
    wood = rng.uniform(0.15, 0.85) + 0.35 * (texture(rng, width, height, kind) - 0.5)
    tilt = 1 + rng.normal(0, 0.12) * (ramps(width, height)[0] - 0.5)
    canvas = Canvas(width, height, np.where(y * tilt > edge, wood, _ground(rng, width, height)))
    if chance(rng, 0.5):
        x0, y0, w, h = rng.uniform([0, 0, 0.2, 0.2], [0.6, 0.1, 0.5, 0.4])
        canvas.box(x0, y0, x0 + w, y0 + h, rng.uniform(0.6, 1), rng.random(), 0.012)
        canvas.line([[x0 + w / 2, y0], [x0 + w / 2, y0 + h]], 0.3, 0.01)
    for thing in rng.choice(["laptop", "cup", "paper", "plant", "book", "pen"], rng.integers(2, 6)):
        x, foot, size = rng.uniform(0.15, 0.85), rng.uniform(edge, 0.95), rng.uniform(0.1, 0.25)
        value = rng.uniform(0.2, 0.98)
        if thing == "laptop":
            lean, size = rng.normal(0, 0.15), size * 1.3
            screen = [[-1, 0], [1, 0], [1 + lean, -1.3], [-1 + lean, -1.3]]
            canvas.polygon(np.array(screen) * size + [x, foot], value, value * 0.5, 0.01)
            inner = np.array(screen) * [0.9, 0.86] + [lean * 0.1, -0.08]
            canvas.polygon(inner * size + [x, foot], rng.random())
            base = np.array([[-1, 0], [1, 0], [1.2, 0.5], [-1.2, 0.5]]) * size + [x, foot]
            canvas.polygon(base, value * 0.9)
            for row in (0.12, 0.22, 0.32):
                ends = np.array([[-0.95, row], [0.95, row]]) * size + [x, foot]
                canvas.line(ends, value * 0.4, 0.012)
            for row in np.linspace(-1.1, -0.3, int(rng.integers(2, 7))):
                text = [[-0.7, row], [rng.uniform(-0.3, 0.7), row]]
                canvas.line(np.array(text) * size + [x, foot], rng.random(), 0.008)
        elif thing == "cup":
            size *= 0.55
            canvas.ellipse(x, foot, size * 1.7, size * 0.5, value * 0.8)
            canvas.arc(x + size, foot - size * 0.7, size * 0.5, size * 0.5, 0, 360, value, 0.012)
            sides = [[-1, -1.4], [1, -1.4], [0.7, 0], [-0.7, 0]]
            canvas.polygon(np.array(sides) * size + [x, foot], value)
            canvas.ellipse(x, foot - 1.4 * size, size, size * 0.3, 0.15, value, 0.01)
        elif thing == "plant":
            canvas.box(x - size * 0.3, foot - size * 0.5, x + size * 0.3, foot, value)
            for angle in rng.uniform(0.3, 2.8, 12):
                tip = [x + size * np.cos(angle), foot - size * (0.5 + 1.1 * np.sin(angle))]
                canvas.line([[x, foot - size * 0.5], tip], rng.uniform(0.05, 0.5), 0.025)
        elif thing == "pen":
            ends = np.array([[x, foot], [x + size, foot - rng.normal(0, 0.4) * size]])
            canvas.line(ends, value, 0.014)
        else:
            lean = rng.normal(0, 0.3)
            sheet = [[-0.8, -0.5], [0.8 + lean, -0.5 + lean], [0.8, 0.5], [-0.9, 0.4]]
            canvas.polygon(np.array(sheet) * size + [x, foot], value, value * 0.6, 0.006)
            for row in np.linspace(-0.3, 0.3, 5):
                ends = np.array([[-0.6, row], [0.55, row + lean * 0.3]]) * size + [x, foot]
                canvas.line(ends, value * 0.5, 0.005)
    if chance(rng, 0.25):
        canvas.text(rng.random() * 0.6, edge * 0.4, word(rng), 0.1, rng.random())
    return shone_on(rng, canvas.array())


def portrait(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Head and shoulders, one person or a few, of all complexions; masks, glasses, scarves."""
    canvas = Canvas(width, height, _ground(rng, width, height))
    count = 1 if chance(rng, 0.7) else int(rng.integers(2, 5))
    for place in (np.arange(count) + 0.5) / count if count > 1 else [rng.uniform(0.35, 0.65)]:
        size = rng.uniform(0.13, 0.23) if count == 1 else rng.uniform(0.4, 0.6) / count * 0.55
        x, y = place, rng.uniform(0.3, 0.45)
        skin, hair, cloth = rng.uniform(0.2, 0.9), rng.uniform(0.02, 0.7), rng.uniform(0.05, 0.95)
        _bust(rng, canvas, x, y, size, skin, hair, cloth)
    image = canvas.array()
    side = ramps(width, height)[0] - 0.5
    image = image * (1 + np.float32(rng.normal(0, 0.5)) * side)
    return shone_on(rng, image * (0.9 + 0.2 * texture(rng, width, height, "cloud")))


def _bust(rng, canvas, x, y, size, skin, hair, cloth):
    def at(points):
        return np.array(points, float) * size + [x, y]

    wide = rng.uniform(1.5, 2.3)
    if chance(rng, 0.45):
        canvas.ellipse(x, y + 0.5 * size, 1.2 * size, rng.uniform(1.4, 2.2) * size, hair)
    else:
        canvas.ellipse(x, y - 0.3 * size, 0.95 * size, 1.15 * size, hair)
    shoulders = [[-wide, 5], [-wide, 2.4], [-0.7, 1.5], [0.7, 1.5], [wide, 2.4], [wide, 5]]
    canvas.polygon(at(shoulders), cloth)
    if chance(rng, 0.3):
        for row in np.arange(1.9, 5, rng.uniform(0.2, 0.5)):
            canvas.line(at([[-wide, row], [wide, row]]), 1 - cloth, 0.01)
    canvas.polygon(at([[-0.4, 0.6], [0.4, 0.6], [0.45, 1.7], [0, 2.1], [-0.45, 1.7]]), skin * 0.8)
    canvas.ellipse(x, y, 0.8 * size, 1.08 * size, skin)
    canvas.ellipse(x + 0.25 * size, y, 0.5 * size, 0.9 * size, min(1, skin * 1.07))
    if chance(rng, 0.75):
        canvas.polygon(at([[-0.8, -0.4], [-0.6, -1.1], [0.6, -1.1], [0.8, -0.4], [0, -0.75]]), hair)
    glasses = chance(rng, 0.25)
    for side in (-0.33, 0.33):
        canvas.ellipse(*at([side, -0.12]), 0.15 * size, 0.075 * size, min(1, skin + 0.25))
        canvas.ellipse(*at([side, -0.12]), 0.07 * size, 0.07 * size, 0.05)
        canvas.line(at([[side - 0.17, -0.32], [side + 0.17, -0.34]]), hair * 0.6, 0.08 * size)
        if glasses:
            canvas.ellipse(*at([side, -0.1]), 0.27 * size, 0.2 * size, None, 0.05, 0.012)
    canvas.line(at([[0.02, -0.1], [0.1, 0.3], [-0.05, 0.33]]), skin * 0.7, 0.05 * size)
    if chance(rng, 0.15):
        canvas.polygon(at([[-0.72, 0.2], [0.72, 0.2], [0.5, 0.95], [-0.5, 0.95]]), 0.85)
    else:
        canvas.ellipse(*at([0, 0.58]), 0.28 * size, rng.uniform(0.05, 0.14) * size, skin * 0.5)


def dish(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Plates and bowls of food on a table."""
    canvas = Canvas(width, height, _ground(rng, width, height))
    for _ in range(int(rng.integers(1, 4))):
        (x, y), r = rng.uniform(0.2, 0.8, 2), rng.uniform(0.15, 0.42)
        flat, value = rng.uniform(0.5, 1), rng.uniform(0.5, 1)
        canvas.ellipse(x + 0.02, y + 0.03, r, r * flat, 0.15)
        canvas.ellipse(x, y, r, r * flat, value, value * 0.6, 0.008)
        canvas.ellipse(x, y, r * 0.75, r * 0.75 * flat, value * 0.85)
        base = rng.uniform(0.1, 0.9)
        for _ in range(int(rng.integers(5, 70))):
            away, turn = 0.62 * r * np.sqrt(rng.random()), rng.uniform(0, 6.3)
            part, shade = r * rng.uniform(0.05, 0.25), np.clip(base + rng.normal(0, 0.2), 0, 1)
            px, py = x + away * np.cos(turn), y + away * np.sin(turn) * flat
            canvas.ellipse(px, py + part * 0.2, part, part * 0.8, shade * 0.5)
            canvas.ellipse(px, py, part, part * 0.75, shade)
    if chance(rng, 0.5):
        x, lean = rng.random(), rng.normal(0, 0.15)
        canvas.line([[x, 0.2], [x + lean, 0.9]], 0.85, 0.02)
        canvas.ellipse(x, 0.2, 0.03, 0.06, 0.85)
    return shone_on(rng, canvas.array() * (0.8 + 0.4 * texture(rng, width, height, "fine")))


CLASSES = {
    "leaves": leaves,
    "solids": solids,
    "flower": flower,
    "desk": desk,
    "portrait": portrait,
    "dish": dish,
}
