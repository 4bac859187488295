"""How a gel is made visible: fluorescence, a stain, or antibodies on a membrane."""

import numpy as np

from gellib.labsim.simulate.bands import run_gel
from gellib.labsim.simulate.draw import Canvas, chance, mix, ramps, resized, warped
from gellib.labsim.simulate.textures import field, texture

_AGAROSE = {"pcr": 7, "digest": 3, "genomic": 1, "rna": 1, "fingerprint": 1}
_PROTEIN = {"lysate": 4, "purification": 3, "digest": 1}


def _tiers(rng, width, height, **how):
    """Run one gel, or one with several combs: the same lanes again further down."""
    if not chance(rng, 0.14):
        return run_gel(rng, width, height, **how)
    count = int(rng.integers(2, 4))
    cuts = np.linspace(0, height, count + 1).astype(int)
    sheets = [run_gel(rng, width, b - a, **how) for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
    sheets[0].signal = np.concatenate([sheet.signal for sheet in sheets])
    sheets[0].wells = np.concatenate([sheet.wells for sheet in sheets])
    sheets[0].rows = tuple(row / count for row in sheets[0].rows)
    return sheets[0]


def fluorescent(rng, width, height, lanes=(4, 16), assays=None, contrast=None, glow=None):
    """A fluorescent gel on a transilluminator: bright bands over an uneven glow.

    Parameters
    ----------
    rng
        Decides everything else.
    height, width
        Pixels.
    lanes
        The fewest and the most lanes.
    assays
        Weights of what is in the lanes, as for `run_gel`.
    contrast
        Brightness of the signal; None: drawn.
    glow
        Mean brightness of the ground; None: drawn.
    """
    how = assays or _AGAROSE
    sheet = _tiers(rng, width, height, assays=how, lanes=lanes)
    glow = glow or rng.uniform(0.02, 0.4)
    x, y = ramps(width, height)
    light = np.full((height, width), np.float32(glow))
    # Free stain runs against the DNA: brighter above or below a soft front.
    front, soft = rng.uniform(0.3, 1.1), rng.uniform(0.03, 0.25)
    light = light * (1 + np.float32(rng.normal(0, 0.25)) * np.tanh((y - front) / soft))
    light = light * (1 + rng.uniform(0, 0.15) * field(rng, width, height, rng.uniform(2, 5)))
    if chance(rng, 0.3):
        cx, cy = rng.uniform(0.2, 0.8, 2)
        away = (x - np.float32(cx)) ** 2 + (y - np.float32(cy)) ** 2
        spot = np.exp(-away / np.float32(rng.uniform(0.03, 0.4)))
        light = light + np.float32(glow * rng.uniform(0.1, 0.7)) * spot
    if chance(rng, 0.3):
        # The loading dye absorbs: a dark smudge across all lanes.
        dye = np.exp(-(((y - rng.uniform(0.3, 0.9)) / rng.uniform(0.015, 0.06)) ** 2))
        light = light * (1 - rng.uniform(0.1, 0.4) * dye * (0.6 + 0.4 * (sheet.wells.max(0) > 0.3)))
    gain = contrast or 10 ** rng.uniform(-0.9, 0.25)
    image = light + gain * sheet.signal
    image = _pockets(rng, image, sheet.wells, glow + 0.15 * gain)
    if chance(rng, 0.35):
        image = image / (1 + 0.6 * image)
    image = _blemishes(rng, image, glow + 0.1)
    if chance(rng, 0.15):
        image = _slab(rng, image, rng.uniform(0, 0.5) * glow)
    return sheet, image.astype(np.float32)


def _pockets(rng, image, wells, amount):
    """Wells: dark pockets with a lit rim, or filled with bright DNA that did not enter."""
    if chance(rng, 0.12):
        return image
    rim = np.roll(wells, max(1, round(len(wells) * 0.008)), 0) - 0.6 * wells
    rim = np.clip(rim, 0, None)
    dark = 1 - rng.uniform(0.1, 0.8) * np.clip(wells, 0, 1)
    if chance(rng, 0.12):
        return image + amount * rng.uniform(0.2, 1) * wells
    return image * dark + amount * rng.uniform(0.1, 1.0) * rim


def _blemishes(rng, image, amount):
    """Dust, scratches, drops, the weave of a scanner, interference rings."""
    height, width = image.shape
    if chance(rng, 0.4):
        count = int(rng.integers(3, 30))
        rows, columns = rng.integers(0, height, count), rng.integers(0, width, count)
        image[rows, columns] += amount * rng.uniform(0.2, 2.0, count).astype(np.float32)
    if chance(rng, 0.3):
        canvas = Canvas(width, height, 0.0, over=1)
        for _ in range(int(rng.integers(1, 4))):
            x, y = rng.random(2)
            if chance(rng, 0.5):
                points = [x, y] + np.cumsum(rng.normal(0, 0.03, (6, 2)), 0)
                canvas.line(points, rng.uniform(0.2, 0.8), 0.003)
            else:
                rx, ry = rng.uniform(0.02, 0.14, 2)
                canvas.ellipse(x, y, rx, ry, rng.uniform(0, 0.25), rng.uniform(0.1, 0.4), 0.004)
        soft = resized(canvas.array(), max(2, width // 2), max(2, height // 2))
        image = image + amount * rng.uniform(0.2, 0.8) * resized(soft, width, height)
    if chance(rng, 0.07):
        x, y = ramps(width, height)
        turn = rng.uniform(0.3, 1.2) * min(width, height)
        weave = np.sin(turn * x) + np.sin(turn * y)
        if chance(rng, 0.5):
            weave = 2 * np.sin(25 * (x - rng.random()) / (0.15 + np.abs(y - rng.random())))
        image = image + np.float32(amount * rng.uniform(0.01, 0.06)) * weave
    return image


def _slab(rng, image, outside):
    """Show the edges of the gel: it ends, a little askew, before the image does."""
    inset = rng.uniform(-0.02, 0.1, (4, 2)) * [[1, 1], [-1, 1], [-1, -1], [1, -1]]
    return warped(image, np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) + inset, outside)


def stained(rng, width, height, lanes=(5, 16), assays=None):
    """A stained protein gel on a light table: dark bands on a pale ground.

    Parameters
    ----------
    rng
        Decides everything else.
    height, width
        Pixels.
    lanes
        The fewest and the most lanes.
    assays
        Weights of what is in the lanes, as for `run_gel`.
    """
    sheet = run_gel(rng, width, height, assays=assays or _PROTEIN, lanes=lanes, protein=True)
    ground = rng.uniform(0.55, 0.98)
    light = ground * (1 + rng.uniform(0, 0.06) * field(rng, width, height, 3))
    strength = rng.uniform(0.25, 1.6)
    image = light * np.exp(-strength * sheet.signal)
    teeth = np.clip(sheet.wells, 0, 1)
    image = image * (1 - rng.uniform(-0.1, 0.25) * teeth)
    if chance(rng, 0.35):
        # The stacking gel above, a step lighter or darker.
        edge = round(height * rng.uniform(0.03, 0.12))
        image[:edge] = image[:edge] * rng.uniform(0.8, 1.1) + rng.uniform(-0.05, 0.05)
        image[edge] *= rng.uniform(0.7, 1.1)
    if chance(rng, 0.4):
        y = ramps(width, height)[1]
        front = np.exp(-(((y - rng.uniform(0.9, 1.0)) / rng.uniform(0.005, 0.02)) ** 2))
        image = image * (
            1 - rng.uniform(0.1, 0.6) * front * (0.8 + 0.2 * field(rng, width, 2, 8)[:1])
        )
    if chance(rng, 0.25):
        image = _slab(rng, image, rng.choice([1.0, ground * 0.6, 0.1]))
    if chance(rng, 0.3):
        image = 1 - _blemishes(rng, 1 - image, 0.15)
    return sheet, image.astype(np.float32)


def blotted(rng, width, height, lanes=(3, 12)):
    """One or more strips of a membrane, each one antibody.

    Parameters
    ----------
    rng
        Decides everything else.
    height, width
        Pixels.
    lanes
        The fewest and the most lanes.
    """
    strips = min(int(rng.choice([1, 1, 2, 3, 4, 5])), max(1, height // 24))
    gap = rng.uniform(0.01, 0.05) if strips > 1 else 0.0
    count = int(rng.integers(lanes[0], lanes[1] + 1))
    paper = float(rng.choice([1.0, 0.95, 0.6]))
    page = np.full((height, width), np.float32(paper))
    shares = np.cumsum(np.r_[0, rng.uniform(0.6, 1.4, strips)])
    shares /= shares[-1]
    ground, strength = rng.uniform(0.6, 0.97), rng.uniform(0.5, 2.5)
    for low, high in zip(shares[:-1], shares[1:], strict=True):
        y0, y1 = round((low + gap / 2) * height), round((high - gap / 2) * height)
        how = dict(assays={"blot": 1}, lanes=(count, count), protein=True)
        part = run_gel(rng, width, y1 - y0, ladder=0.4 if strips == 1 else 0.0, **how)
        light = ground * (1 + rng.uniform(0, 0.06) * field(rng, width, y1 - y0, 5))
        light = light * (1 - rng.uniform(0, 0.08) * texture(rng, width, y1 - y0, "cloud"))
        page[y0:y1] = light * np.exp(-strength * part.signal)
        part.rows = tuple(mix(y0, y1, row) / height for row in part.rows)
        if strips > 1 and chance(rng, 0.5):
            page[[y0, y1 - 1]] = 0.1
    return part, page
