"""Lines and stripes with a meaning: sheet music, recorded curves, chromosomes, spectral lines."""

import numpy as np

from gellib.labsim.simulate.documents import laid, new_paper
from gellib.labsim.simulate.draw import Canvas, chance, mix, pick, ramps, resized, word
from gellib.labsim.simulate.textures import texture


def score(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Sheet music: staves, notes, bars, words below."""
    ground, ink, _ = new_paper(rng, width, height)
    canvas = Canvas(width, height, ground)
    staves = int(rng.integers(2, 9))
    gap = rng.uniform(0.05, 0.085) / staves * 1.6
    thin = 0.0015
    for stave in range(staves):
        top = (stave + 0.35) / staves
        for row in range(5):
            canvas.line([[0.03, top + row * gap], [0.97, top + row * gap]], ink, thin)
        x = 0.08
        while x < 0.95:
            step = rng.uniform(0.02, 0.06)
            if chance(rng, 0.12):
                canvas.line([[x, top], [x, top + 4 * gap]], ink, 0.003)
            else:
                y = top + rng.integers(-2, 10) * gap / 2
                hollow = chance(rng, 0.2)
                canvas.ellipse(x, y, gap * 0.65, gap * 0.48, None if hollow else ink, ink, 0.003)
                up = -1 if y > top + 2 * gap else 1
                stem = x + gap * 0.6 * (up < 0) - gap * 0.6 * (up > 0)
                canvas.line([[stem, y], [stem, y + up * 3 * gap]], ink, 0.003)
                if chance(rng, 0.35):
                    ends = [
                        [stem, y + up * 3 * gap],
                        [stem + step, y + up * rng.uniform(2, 3) * gap],
                    ]
                    canvas.line(ends, ink, gap * 0.45)
            x += step
        if chance(rng, 0.3):
            canvas.text(0.08, top + 6 * gap, f"{word(rng)} {word(rng)} {word(rng)}", 0.035, ink)
    return laid(rng, canvas.array(), 0.35)


def trace(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Recorded curves: heart beats, brain waves, seismograms, chromatograms, an oscilloscope."""
    _, ink, paper = new_paper(rng, width, height)
    canvas = Canvas(width, height, paper)
    if chance(rng, 0.6):
        for place in np.arange(0, 1, rng.uniform(0.03, 0.12)):
            shade = mix(paper, ink, 0.25)
            canvas.line([[place, 0], [place, 1]], shade, 0.002)
            canvas.line([[0, place], [1, place]], shade, 0.002)
    rows = int(rng.integers(1, 13))
    kind = pick(rng, {"beats": 3, "noise": 2, "quakes": 2, "peaks": 2, "sine": 1})
    time = np.linspace(0, 1, 220)
    for row in range(rows):
        if kind == "beats":
            phase = (time * rng.uniform(3, 12) + rng.random()) % 1
            wave = np.exp(-(((phase - 0.4) / 0.02) ** 2)) - 0.3 * np.exp(
                -(((phase - 0.46) / 0.02) ** 2)
            )
            wave = wave + 0.2 * np.exp(-(((phase - 0.7) / 0.06) ** 2))
        elif kind == "peaks":
            wave = np.zeros_like(time)
            for place, tall in rng.random((int(rng.integers(3, 30)), 2)):
                wave += tall * np.exp(-(((time - place) / rng.uniform(0.004, 0.02)) ** 2))
        elif kind == "sine":
            wave = np.sin(rng.uniform(10, 90) * time + rng.random() * 6) * rng.uniform(0.3, 0.6)
        else:
            wave = rng.standard_normal(220) * 0.2
            if kind == "quakes":
                start = rng.random()
                wave *= 0.2 + 3 * np.exp(-(time - start) * 8) * (time > start)
        y = (row + 0.6 - 0.45 * np.clip(wave, -1.2, 1.2)) / rows
        canvas.line(np.stack([time, y], 1), ink, rng.uniform(0.003, 0.008))
        if chance(rng, 0.3):
            canvas.text(0.01, (row + 0.15) / rows, word(rng, 3), 0.045, ink)
    return laid(rng, canvas.array(), 0.25)


def karyotype(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Chromosomes in rows of pairs, or scattered: short bent rods with bands across."""
    bright = chance(rng, 0.4)
    ground = rng.uniform(0.0, 0.15) if bright else rng.uniform(0.7, 1.0)
    canvas = Canvas(width, height, ground)
    rows, columns = int(rng.integers(2, 6)), int(rng.integers(4, 10))
    ordered = chance(rng, 0.6)
    for row in range(rows):
        for column in range(columns):
            long = rng.uniform(0.4, 0.9) / rows * (1.1 - 0.7 * row / rows)
            bands = rng.uniform(0.1, 0.6, int(rng.integers(4, 11)))
            for pair in (-1, 1):
                if ordered:
                    x, foot, turn = (column + 0.5) / columns + pair * 0.018, (row + 0.9) / rows, 0.0
                else:
                    x, foot, turn = *rng.uniform(0.05, 0.95, 2), rng.uniform(0, 6.3)
                bend, at = rng.normal(turn, 0.1), np.array([x, foot])
                for number, shade in enumerate(bands):
                    step = np.array([np.sin(bend), -np.cos(bend)]) * long / len(bands)
                    value = 1 - shade if bright else shade
                    narrow = 0.5 if number == len(bands) // 3 else 1.0
                    canvas.line([at, at + step * 1.1], value, 0.02 * narrow)
                    at, bend = at + step, bend + rng.normal(0, 0.06)
            if ordered:
                label = str(row * columns + column + 1)
                canvas.text(
                    (column + 0.5) / columns, (row + 0.92) / rows, label, 0.035, 1 - ground, "ma"
                )
    image = canvas.array()
    small = resized(image, round(width / 1.6), round(height / 1.6))
    return resized(small, width, height)


def spectrum(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Spectral lines over the whole height, bright or dark, one spectrum or several in strips."""
    strips = int(rng.integers(1, 6))
    x, y = ramps(width, height)
    dark = chance(rng, 0.35)
    image: np.ndarray = np.zeros((height, width), np.float32)
    hump = np.exp(-(((x - rng.uniform(0.3, 0.7)) / rng.uniform(0.2, 0.6)) ** 2))
    for strip in range(strips):
        count = int(rng.integers(4, 60))
        places, strong = rng.random(count), rng.random(count) ** 2
        thin = rng.uniform(0.002, 0.006)
        lines = strong[:, None] * np.exp(-(((x - places[:, None]) / thin) ** 2))
        row = (hump * 0.8 - lines.sum(0)) if dark else lines.sum(0) + rng.uniform(0, 0.3) * hump
        edge = 0.04 if strips > 1 else 0.0
        inside = (y > (strip + edge) / strips) & (y < (strip + 1 - edge) / strips)
        image = np.where(inside, row, image)
    if chance(rng, 0.3):
        image = image * (0.6 + 0.8 * texture(rng, width, height, "cloud"))
    if chance(rng, 0.25):
        # Flames and prisms bend the lines.
        shift = (np.linspace(-1, 1, height) ** 2 * rng.uniform(0.01, 0.08) * width).astype(int)
        columns = (np.arange(width)[None] + shift[:, None]) % width
        image = np.take_along_axis(image, columns, 1)
    return np.clip(image, 0, 1)


CLASSES = {"score": score, "trace": trace, "karyotype": karyotype, "spectrum": spectrum}
