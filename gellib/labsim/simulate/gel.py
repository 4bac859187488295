"""The gel classes: how gels are exposed, cut, labelled, put together and photographed."""

import numpy as np

from gellib.labsim.simulate.camera import Scene, expose
from gellib.labsim.simulate.draw import Canvas, chance, mix, pick, ramps, warped
from gellib.labsim.simulate.stains import blotted, fluorescent, stained
from gellib.labsim.simulate.textures import field, texture


def _scene(rng, sheet, image, tone=None, frame=None):
    if frame is None and chance(rng, 0.05):
        # Some images are stored upside down or mirrored.
        return Scene(image[::-1] if chance(rng, 0.5) else image[:, ::-1], tone)
    return Scene(image, tone, frame, sheet.columns, sheet.rows, sheet.marks)


def dim(rng: np.random.Generator, width: int, height: int) -> Scene:
    """A raw camera frame: faint bands over grey glow, little of the range used."""
    # Raw frames of such cameras were seen to have a median of 0.2 to 0.5 and little above.
    glow, contrast = rng.uniform(0.15, 0.45), 10 ** rng.uniform(-0.9, -0.25)
    sheet, image = fluorescent(rng, width, height, (3, 14), contrast=contrast, glow=glow)
    return _scene(rng, sheet, np.clip(image, 0.02, 1), "natural")


def stretched(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Bright bands on black, the full range used."""
    sheet, image = fluorescent(rng, width, height, contrast=10 ** rng.uniform(-0.5, 0.4))
    return _scene(rng, sheet, image, "stretched")


def inverted(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Dark bands on a light ground, as printed."""
    sheet, image = fluorescent(rng, width, height, contrast=10 ** rng.uniform(-0.8, 0.3))
    return _scene(rng, sheet, image, "inverted")


def annotated(rng: np.random.Generator, width: int, height: int) -> Scene:
    """A figure: lane numbers, sizes at the side, arrows, a title."""
    if chance(rng, 0.35):
        sheet, image = stained(rng, width, height)
        return _scene(rng, sheet, image, pick(rng, {"natural": 3, "stretched": 2}), "labels")
    sheet, image = fluorescent(rng, width, height)
    tone = pick(rng, {"stretched": 5, "inverted": 3, "dim": 1, "natural": 1})
    return _scene(rng, sheet, image, tone, "labels")


def panels(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Two to four gels side by side or below each other, lettered."""
    beside = chance(rng, 0.6)
    count = min(int(rng.integers(2, 5)), max(2, (width if beside else height) // 24))
    gap = rng.uniform(0, 0.05)
    cuts = np.cumsum(np.r_[0, rng.uniform(0.6, 1.4, count)])
    cuts /= cuts[-1]
    paper = float(rng.choice([1.0, 0.0, 0.8]))
    page = np.full((height, width), np.float32(paper))
    same, letters = chance(rng, 0.5), chance(rng, 0.5)
    tone = pick(rng, {"stretched": 3, "inverted": 2, "natural": 1})
    styles = [fluorescent, fluorescent, stained, blotted]
    style = styles[rng.integers(4)]
    corners = []
    for low, high in zip(cuts[:-1], cuts[1:], strict=True):
        margin = gap if letters else gap * rng.random()
        x0, x1 = (low, high) if beside else (0.0, 1.0)
        y0, y1 = (0.0, 1.0) if beside else (low, high)
        x0, x1 = round((x0 + gap / 2) * width), round((x1 - gap / 2) * width)
        y0, y1 = round((y0 + margin) * height), round((y1 - gap / 2) * height)
        if not same:
            style = styles[rng.integers(4)]
            tone = pick(rng, {"stretched": 3, "inverted": 2, "natural": 1})
        lanes = (3, 8) if beside else (5, 16)
        photo = style(rng, x1 - x0, y1 - y0, lanes)[1]
        shown = expose(photo, rng, tone if style is fluorescent else "natural")
        page[y0:y1, x0:x1] = np.clip(shown, 0, 1)
        corners.append((x0 / width, y0 / height))
    if letters:
        canvas = Canvas(width, height, page, over=1)
        for letter, (x, y) in zip("ABCD", corners, strict=False):
            ink = 1.0 if page[round(y * height) + 3, round(x * width) + 3] < 0.5 else 0.0
            canvas.text(x + 0.01, y + 0.005, letter, 0.075, ink, bold=True)
        page = canvas.array()
    return Scene(page, "natural", pick(rng, {"none": 3, "border": 1, "labels": 1}))


def fingerprint(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Many narrow lanes full of bands (RAPD, AFLP, PFGE)."""
    how = {"fingerprint": 6, "digest": 1}
    sheet, image = fluorescent(rng, width, height, (14, 30), how, 10 ** rng.uniform(-0.6, 0.3))
    return _scene(
        rng, sheet, image, pick(rng, {"stretched": 4, "inverted": 3, "natural": 2, "dim": 1})
    )


def coomassie(rng: np.random.Generator, width: int, height: int) -> Scene:
    """A pale protein gel that fills the frame."""
    sheet, image = stained(rng, width, height)
    tone = pick(rng, {"natural": 4, "low": 2, "stretched": 2, "dim": 1})
    return _scene(rng, sheet, image, tone)


def greyed(rng: np.random.Generator, width: int, height: int) -> Scene:
    """A colour photograph turned grey: orange or green glow on violet, blue bands on white."""
    sheet, image = fluorescent(rng, width, height)
    level = np.clip(expose(image, rng, "stretched"), 0, 1)
    # Grey values of the ground, the stained bands and their burnt-out cores.
    ground = rng.uniform(0.05, 0.8)
    far = rng.uniform(0.8, 1.0) if ground < 0.3 + 0.3 * rng.random() else rng.uniform(0.0, 0.15)
    band = mix(ground, far, rng.uniform(0.3, 0.8))
    core = mix(band, far, rng.random())
    tones = np.interp(level, [0, rng.uniform(0.4, 0.8), 1.0], [ground, band, core])
    hue = 1 + rng.uniform(0, 0.25) * field(rng, width, height, 2)
    return _scene(rng, sheet, (tones * hue).astype(np.float32), "natural")


def blot(rng: np.random.Generator, width: int, height: int) -> Scene:
    """A western blot: soft dark bands in one row a strip, now and then on black."""
    sheet, image = blotted(rng, width, height)
    tone = pick(rng, {"natural": 5, "stretched": 3, "low": 1, "inverted": 1.5})
    frame = None if chance(rng, 0.7) else "labels"
    return Scene(image, tone, frame, sheet.columns)


def photographed(rng: np.random.Generator, width: int, height: int) -> Scene:
    """A gel lying on a bench or a light table, seen at an angle, with glare."""
    if chance(rng, 0.5):
        sheet, gel = stained(rng, width, height)
    else:
        sheet, gel = fluorescent(rng, width, height, contrast=10 ** rng.uniform(-0.5, 0.2))
        gel = np.clip(expose(gel, rng, "stretched"), 0, 1) * rng.uniform(0.6, 1)
    corners = np.array([[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]])
    corners = corners + rng.normal(0, 0.055, (4, 2))
    turn = rng.normal(0, 0.15)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = (corners - 0.5) @ turned.T * rng.uniform(0.8, 1.25) + 0.5
    seen = warped(gel, corners, -1.0)
    bench = texture(rng, width, height, pick(rng, {"fibres": 2, "cloud": 2, "rough": 1, "fine": 1}))
    bench = rng.uniform(0.05, 0.9) + rng.uniform(0.02, 0.3) * (bench - 0.5)
    image = np.where(seen < -0.02, bench, seen)
    outline = Canvas(width, height, 0.0, over=1)
    outline.polygon(corners, None, 1.0, rng.uniform(0.004, 0.012))
    image = mix(image, np.float32(rng.choice([0.1, 0.9])), outline.array() * rng.uniform(0.1, 0.7))
    for _ in range(int(rng.integers(0, 4))):
        x, y = ramps(width, height)
        (cx, cy), (rx, ry) = rng.random(2), rng.uniform(0.02, 0.15, 2)
        lean = rng.normal(0, 1)
        spot = ((x - cx + lean * (y - cy)) / rx) ** 2 + ((y - cy) / ry) ** 2
        image = image + rng.uniform(0.2, 0.9) * np.exp(-(spot.astype(np.float32) ** 2))
    tone = pick(rng, {"natural": 6, "low": 1, "dim": 2})
    return Scene(image.astype(np.float32), tone)


CLASSES = {
    "gel_dim": dim,
    "gel_stretched": stretched,
    "gel_inverted": inverted,
    "gel_annotated": annotated,
    "gel_panels": panels,
    "gel_fingerprint": fingerprint,
    "gel_coomassie": coomassie,
    "gel_greyed": greyed,
    "gel_blot": blot,
    "gel_photographed": photographed,
}
