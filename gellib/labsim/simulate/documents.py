"""Drawn and printed matter: text, tables, plots, circuits."""

import numpy as np

from gellib.labsim.simulate.draw import Canvas, chance, mix, symbols, warped, word
from gellib.labsim.simulate.textures import field, texture


def new_paper(rng, width, height):
    """Return a sheet's background, its ink and its paper value."""
    ink, paper = rng.uniform(0.0, 0.35), rng.uniform(0.65, 1.0)
    if chance(rng, 0.2):
        ink, paper = paper, ink
    ground = np.full((height, width), np.float32(paper))
    if chance(rng, 0.5):
        ground = ground + rng.uniform(0, 0.12) * field(rng, width, height, 3)
    return ground, ink, paper


def laid(rng, image, probability=0.4):
    """Show a flat image as a photograph of it: rotated, on a background."""
    if not chance(rng, probability):
        return image
    height, width = image.shape
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) + rng.normal(0, 0.08, (4, 2))
    turn = rng.normal(0, 0.25) if chance(rng, 0.8) else rng.uniform(-3.1, 3.1)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    seen = warped(image, (corners - 0.5) @ spin.T * rng.uniform(0.65, 1.15) + 0.5, -1.0)
    under = rng.uniform(0.05, 0.95) + 0.3 * (texture(rng, width, height) - 0.5)
    return np.where(seen < -0.05, under, seen)


def text(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A page, a slip, a screen or a poster of text: columns, headings, gaps, an image."""
    ground, ink, _ = new_paper(rng, width, height)
    canvas = Canvas(width, height, ground, over=1)
    size = 10 ** rng.uniform(-1.5, -1.0)
    columns = int(rng.integers(1, 4)) if size < 0.055 else 1
    step = size * rng.uniform(1.05, 1.7)
    digits = chance(rng, 0.2)
    spacing = np.where(rng.random(4096) < 0.18, " ", symbols(rng, 4096))
    prose, at = "".join(spacing), 0
    for column in range(columns):
        left = 0.03 + column * 0.96 / columns
        letters = max(3, int(0.92 / columns / size * 1.9 * height / width))
        y = rng.uniform(0.01, 0.12)
        while y < 0.97 - size:
            if chance(rng, 0.06):
                tall = rng.uniform(0.05, 0.25)
                if chance(rng, 0.4):
                    canvas.box(
                        left, y, left + 0.85 / columns, y + tall, mix(ink, 0.5, rng.random())
                    )
                y += tall + step * 0.5
                continue
            if digits:
                line = "  ".join(str(n) for n in rng.integers(1, 99999, letters // 6 + 1))
            else:
                goal = int(letters * (rng.uniform(0.3, 0.8) if chance(rng, 0.15) else 0.95))
                at = (at + goal) % 2048
                line = prose[at : at + goal]
            canvas.text(left, y, line[:letters], size, ink, bold=chance(rng, 0.05))
            y += step
    return laid(rng, canvas.array(), 0.35)


def table(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A spreadsheet, a form, a calendar, a keyboard, or a heat map with its scale."""
    ground, ink, paper = new_paper(rng, width, height)
    canvas = Canvas(width, height, ground, over=1)
    rows, columns = int(rng.integers(3, 16)), int(rng.integers(2, 14))
    heat, boxed = chance(rng, 0.4), chance(rng, 0.6)
    x0, y0 = rng.uniform(0.0, 0.15, 2)
    x1, y1 = rng.uniform(0.8, 1.0, 2)
    xs, ys = np.linspace(x0, x1, columns + 1), np.linspace(y0, y1, rows + 1)
    shades = rng.random((rows, columns))
    if chance(rng, 0.5):
        shades = np.clip(0.5 + 0.3 * field(rng, columns, rows, 3), 0, 1)
    gap = rng.uniform(0, 0.01)
    for row in range(rows):
        for column in range(columns):
            corners = (xs[column] + gap, ys[row] + gap, xs[column + 1] - gap, ys[row + 1] - gap)
            if corners[2] <= corners[0] or corners[3] <= corners[1]:
                continue
            if heat:
                canvas.box(*corners, shades[row, column])
            elif boxed:
                canvas.box(*corners, mix(paper, ink, 0.1 * (row == 0)), mix(paper, ink, 0.6), 0.001)
            if not heat and shades[row, column] < 0.85:
                string = word(rng, int(rng.integers(1, max(2, 40 // columns))))
                size = min(0.05, 0.7 * (y1 - y0) / rows)
                canvas.text(
                    corners[0] + 0.008, (ys[row] + ys[row + 1]) / 2, string, size, ink, "lm"
                )
    if heat and chance(rng, 0.5):
        for number in range(20):
            canvas.box(0.94, 0.1 + number * 0.03, 0.98, 0.13 + number * 0.03, number / 19)
    return laid(rng, canvas.array(), 0.3)


def plot(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Bars, lines, points, histograms, pies, boxes, with axes and labels."""
    _, ink, paper = new_paper(rng, width, height)
    canvas = Canvas(width, height, paper)
    kind = str(rng.choice(["bars", "lines", "points", "pie", "boxes", "area"]))
    x0, y0, x1, y1 = rng.uniform([0.08, 0.03, 0.85, 0.78], [0.2, 0.15, 0.98, 0.92])
    if kind == "pie":
        ends = np.cumsum(np.r_[0, rng.uniform(0.2, 1, rng.integers(3, 8))])
        turns = ends / ends[-1] * 2 * np.pi + rng.random()
        r = rng.uniform(0.25, 0.42)
        for a, b in zip(turns[:-1], turns[1:], strict=True):
            arc = np.linspace(a, b, 12)
            edge = np.stack([np.cos(arc), np.sin(arc)], 1) * r + 0.5
            canvas.polygon(np.vstack([[0.5, 0.5], edge]), rng.uniform(0.1, 0.9), ink, 0.004)
        return laid(rng, canvas.array(), 0.2)
    if chance(rng, 0.5):
        grid = mix(paper, ink, 0.25)
        for share in np.linspace(0, 1, 6):
            canvas.line([[x0, mix(y0, y1, share)], [x1, mix(y0, y1, share)]], grid, 0.002)
    if chance(rng, 0.8):
        canvas.line([[x0, y0], [x0, y1], [x1, y1]], ink, 0.006)
    else:
        canvas.box(x0, y0, x1, y1, None, ink, 0.005)
    size = rng.uniform(0.04, 0.06)
    for share in np.linspace(0, 1, int(rng.integers(3, 7))):
        canvas.text(x0 - 0.015, mix(y1, y0, share), f"{share * 9:.0f}", size, ink, "rm")
        canvas.text(mix(x0, x1, share), y1 + 0.015, f"{share * 40:.0f}", size, ink, "mt")
    count = int(rng.integers(4, 24))
    for _ in range(1 if kind in ("bars", "boxes") else int(rng.integers(1, 5))):
        shade = mix(ink, paper, rng.uniform(0, 0.7))
        if kind in ("lines", "area"):
            count = int(rng.integers(8, 120))
        xs = np.linspace(x0, x1, count)
        values = rng.random(count)
        if kind in ("lines", "area"):
            values = rng.standard_normal(count).cumsum()
            if chance(rng, 0.4):
                values = np.exp(-(np.linspace(-3, 3, count) ** 2)) + 0.03 * rng.random(count)
            values = (values - values.min()) / (np.ptp(values) + 1e-6)
        ys = mix(y1, y0, np.clip(values * rng.uniform(0.5, 1), 0.01, 1))
        wide = (x1 - x0) / count * rng.uniform(0.3, 0.48)
        if kind == "lines":
            canvas.line(np.stack([xs, ys], 1), shade, rng.uniform(0.004, 0.012))
        elif kind == "area":
            canvas.polygon(np.vstack([[x0, y1], np.stack([xs, ys], 1), [x1, y1]]), shade)
        elif kind == "points":
            spread = rng.normal([mix(x0, x1, 0.5), mix(y0, y1, 0.5)], 0.13, (count * 4, 2))
            r = rng.uniform(0.006, 0.015)
            for x, y in np.clip(spread, [x0, y0], [x1, y1]):
                canvas.ellipse(x, y, r, r, shade)
        else:
            for x, y in zip(xs[:-1] + wide, ys, strict=False):
                low = y1 if kind == "bars" else min(y1, y + rng.uniform(0.05, 0.3))
                canvas.box(x - wide, y, x + wide, low, shade, ink, 0.003)
                if kind == "boxes" or chance(rng, 0.2):
                    canvas.line([[x, y - 0.05], [x, y]], ink, 0.004)
    if chance(rng, 0.5):
        canvas.text(0.5, 0.01, f"{word(rng)} {word(rng)}", size * 1.2, ink, "ma")
    return laid(rng, canvas.array(), 0.2)


def circuit(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Circuit boards and diagrams: tracks, pads, chips."""
    _, ink, paper = new_paper(rng, width, height)
    canvas = Canvas(width, height, paper)
    grid, thick = int(rng.integers(8, 30)), rng.uniform(0.004, 0.014)
    turns = np.array([[1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1], [1, -1]])
    for _ in range(int(rng.integers(10, 60))):
        heading = int(rng.integers(8))
        points = [rng.integers(0, grid + 1, 2)]
        for _ in range(int(rng.integers(1, 6))):
            points.append(points[-1] + turns[heading % 8] * rng.integers(1, max(2, grid // 3)))
            heading += int(rng.choice([-1, 1]))
        path = np.array(points) / grid
        shade = mix(ink, paper, rng.uniform(0, 0.3))
        canvas.line(path, shade, thick)
        for x, y in path[[0, -1]]:
            canvas.ellipse(x, y, 1.4 * thick, 1.4 * thick, shade)
            canvas.ellipse(x, y, 0.6 * thick, 0.6 * thick, paper)
    for _ in range(int(rng.integers(0, 8))):
        x, y, w, h = rng.uniform([0, 0, 0.05, 0.05], [0.9, 0.9, 0.3, 0.3])
        body = rng.uniform(0, 1)
        for pin in np.linspace(x + 0.01, x + w - 0.01, int(rng.integers(3, 12))):
            canvas.line([[pin, y - 0.02], [pin, y + h + 0.02]], 0.8, 0.007)
        canvas.box(x, y, x + w, y + h, body)
        if chance(rng, 0.6):
            canvas.text(x + 0.01, y + h / 2, word(rng), 0.045, round(1 - body), "lm")
    return laid(rng, canvas.array(), 0.3)


CLASSES = {
    "text": text,
    "table": table,
    "plot": plot,
    "circuit": circuit,
}
