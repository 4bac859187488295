"""What laboratory and medical instruments show: cells, phantoms, spectrograms, plates, stars."""

import numpy as np

from gellib.labsim.simulate.draw import Canvas, chance, mix, pick, ramps, resized
from gellib.labsim.simulate.textures import field, texture


def cells(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Cells under a microscope: nuclei, rings, rods, filaments, in fluorescence or bright field."""
    bright = chance(rng, 0.55)
    ground = rng.uniform(0, 0.12) if bright else rng.uniform(0.6, 0.95)
    canvas = Canvas(width, height, ground)
    size = 10 ** rng.uniform(-1.75, -0.9)
    kind = pick(rng, {"nuclei": 3, "rings": 2, "rods": 2, "whole": 2, "filaments": 1})
    for _ in range(int(min(140, 0.4 / size**2 * rng.uniform(0.15, 1)) + 3)):
        x, y, turn = rng.random(3) * [1, 1, 3.1]
        value = rng.uniform(0.3, 1.0) if bright else rng.uniform(0.05, 0.6)
        r = size * rng.uniform(0.6, 1.4)
        along = np.array([np.cos(turn), np.sin(turn)])
        if kind == "rods":
            reach = along * r * rng.uniform(1, 2)
            canvas.line([[x, y] - reach, [x, y] + reach], value, 0.5 * r)
        elif kind == "filaments":
            bend = np.cumsum(rng.normal(0, 0.5 * r, (7, 2)) + along * r, 0)
            canvas.line(bend + [x, y], value, 0.1 * r + 0.003)
        elif kind == "rings":
            canvas.ellipse(x, y, r, r * 0.9, mix(ground, value, 0.25), value, 0.15 * r + 0.003)
        else:
            angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
            flat = r * (1 + rng.normal(0, 0.06, 16))[:, None] * [1, rng.uniform(0.6, 1)]
            shape = flat * np.stack([np.cos(angles), np.sin(angles)], 1)
            shape = shape @ np.array([along, [-along[1], along[0]]])
            body = mix(ground, value, 0.4) if kind == "whole" else value
            canvas.polygon(shape + [x, y], body)
            if kind == "whole":
                canvas.polygon(shape * rng.uniform(0.3, 0.5) + [x, y], value)
    image = canvas.array()
    soft = rng.uniform(1.2, 4)
    small = resized(image, max(8, round(width / soft)), max(8, round(height / soft)))
    image = resized(small, width, height)
    return image + rng.uniform(0, 0.35) * (image - ground) * (texture(rng, width, height) - 0.5)


def phantom(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """X-ray, tomography and magnetic-resonance-like slices: head, chest, limb, hand of bones."""
    kind = pick(rng, {"head": 3, "chest": 3, "limb": 2, "bones": 1})
    canvas = Canvas(width, height, rng.uniform(0, 0.12))
    x, y = rng.uniform(0.45, 0.55, 2)
    rx, ry = rng.uniform(0.25, 0.47), rng.uniform(0.3, 0.48)
    tissue, bone = rng.uniform(0.25, 0.6), rng.uniform(0.65, 1.0)
    if kind == "head":
        canvas.ellipse(x, y, rx, ry, bone)
        rim = rng.uniform(0.85, 0.96)
        canvas.ellipse(x, y, rx * rim, ry * rim, 0.08)
        canvas.ellipse(x, y, rx * rim * 0.96, ry * rim * 0.96, tissue)
        canvas.line([[x, y - ry * 0.8], [x, y + ry * 0.8]], tissue * 0.6, 0.008)
        for side in (-1, 1):
            px, wide = x + side * rx * rng.uniform(0.12, 0.2), rng.uniform(0.06, 0.2)
            canvas.ellipse(px, y - 0.05, rx * wide, ry * wide * 2, tissue * rng.uniform(0.2, 0.6))
        if chance(rng, 0.3):
            r = rng.uniform(0.03, 0.1)
            canvas.ellipse(x + 0.4 * rx, y - 0.2 * ry, r, r, rng.uniform(0.7, 1))
    elif kind == "chest":
        canvas.ellipse(x, y, rx * 1.1, ry * 1.1, tissue)
        for side in (-1, 1):
            canvas.ellipse(x + side * 0.5 * rx, y, rx * 0.36, ry * 0.75, tissue * 0.35)
        for row in np.linspace(-0.7, 0.7, int(rng.integers(5, 10))):
            for side in (-1, 1):
                px, py = x + side * 0.5 * rx, y + row * ry
                canvas.arc(px, py, 0.5 * rx, 0.14 * ry, 180, 360, tissue * 1.1, 0.014)
        canvas.line([[x, y - ry], [x, y + ry]], bone, 0.06)
        canvas.ellipse(x + 0.15 * rx, y + 0.3 * ry, 0.35 * rx, 0.3 * ry, bone * 0.85)
    else:
        turn = rng.normal(0, 0.3)
        for bar in range(1 if kind == "limb" else 5):
            px = x if kind == "limb" else 0.15 + 0.17 * bar
            foot = px + np.tan(turn) * (0.3 if kind == "limb" else 0.1)
            wide = rng.uniform(0.12, 0.2) if kind == "limb" else 0.05
            canvas.line([[px, -0.05], [foot, 1.05]], tissue, wide * 2.4)
            for a, b in zip(*np.sort(rng.random((2, 3)), 0), strict=True):
                top, low = [mix(px, foot, a), a], [mix(px, foot, b), b]
                canvas.line([top, low], bone, wide)
                for cx, cy in (top, low):
                    canvas.ellipse(cx, cy, wide * 0.75, wide * 0.5, bone * 0.95)
    image = canvas.array()
    soft = rng.uniform(1.1, 3)
    small = resized(image, round(width / soft), round(height / soft))
    image = resized(small, width, height)
    return image * (0.8 + rng.uniform(0.2, 0.6) * (texture(rng, width, height) - 0.25))


def spectrogram(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Sound over time: harmonics that glide, syllables, chirps, clicks, formants, hum."""
    x, y = ramps(width, height)
    image = rng.uniform(0, 0.25) * (1 + 0.6 * (texture(rng, width, height, "fine", 0.6) - 0.5))
    image = image * (1 + rng.uniform(0, 1.5) * y)
    time = x[0]
    for _ in range(int(rng.integers(1, 4))):
        base = rng.uniform(0.02, 0.12)
        glide = rng.normal(0, 0.3) * time + rng.uniform(0, 0.25) * np.sin(
            rng.uniform(2, 25) * time + rng.random() * 6
        )
        if chance(rng, 0.3):
            glide = glide + 0.4 * np.interp(time, np.linspace(0, 1, 9), rng.standard_normal(9))
        pitch = base * np.exp(glide).astype(np.float32)
        order = (1 - y) / pitch[None]
        sharp = rng.uniform(2, 25)
        tones = np.exp(sharp * (np.cos(2 * np.pi * order) - 1))
        formant = np.zeros((height, 1), np.float32)
        for _ in range(int(rng.integers(1, 5))):
            formant = formant + np.exp(-(((1 - y - rng.random()) / rng.uniform(0.03, 0.2)) ** 2))
        beats = np.ones(width, np.float32)
        if chance(rng, 0.7):
            beats = np.interp(time * rng.integers(3, 14), np.arange(16), rng.random(16) ** 2)
            beats = np.where(beats > 0.25, beats, 0).astype(np.float32)
        image = image + rng.uniform(0.3, 1.2) * tones * (formant + 0.1) * beats[None]
    for _ in range(int(rng.integers(0, 6)) if chance(rng, 0.5) else 0):
        # Whistles and chirps: single lines.
        ends = rng.random(4)
        line = ends[0] + (ends[1] - ends[0]) * time + rng.normal(0, 0.1) * np.sin(9 * time)
        on = np.abs(time - ends[2]) < 0.05 + 0.4 * ends[3]
        image = image + np.exp(-(((y - line[None]) / 0.012) ** 2)) * on[None]
    if chance(rng, 0.4):
        clicks = (rng.random(width) < 0.04) * rng.random(width)
        image = image + rng.uniform(0.2, 0.8) * clicks[None].astype(np.float32) * (0.3 + y)
    if chance(rng, 0.3):
        hum = (rng.random(height) < 0.03) * rng.random(height)
        image = image + 0.5 * hum[:, None].astype(np.float32)
    if chance(rng, 0.3):
        # Coarse cells in time or frequency, as short windows give.
        image = resized(image, int(rng.integers(20, width)), int(rng.integers(30, height)))
        image = resized(image, width, height)
    return np.clip(image, 0, None) ** np.float32(rng.uniform(0.4, 1.2))


def plate(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Arrays: microtitre plates, microarrays, dot blots' look-alikes, colonies in a dish."""
    if chance(rng, 0.25):
        canvas = Canvas(width, height, rng.uniform(0, 0.9))
        agar, colony = rng.uniform(0.2, 0.8), rng.random()
        canvas.ellipse(0.5, 0.5, 0.47, 0.47, agar, rng.random(), 0.02)
        away, turn = 0.43 * np.sqrt(rng.random(80)), rng.uniform(0, 6.3, 80)
        count = int(rng.integers(5, 80))
        for a, t, r in zip(away[:count], turn, rng.uniform(0.005, 0.025, 80), strict=False):
            canvas.ellipse(0.5 + a * np.cos(t), 0.5 + a * np.sin(t), r, r, colony)
        return canvas.array() * (0.9 + 0.2 * texture(rng, width, height, "cloud"))
    rows, columns = [(8, 12), (4, 6), (16, 24), (12, 12), (6, 9)][rng.integers(5)]
    x, y = ramps(width, height)
    margin = rng.uniform(0.0, 0.12)
    u = (x - margin) / (1 - 2 * margin) * columns
    v = (y - margin) / (1 - 2 * margin) * rows
    near_u, near_v = np.floor(u).clip(0, columns - 1), np.floor(v).clip(0, rows - 1)
    values = rng.random((rows, columns)).astype(np.float32) ** rng.uniform(0.5, 3)
    if chance(rng, 0.3):
        values = np.clip(0.5 + 0.4 * field(rng, columns, rows, 3), 0, 1)
    level = values[near_v.astype(int)[:, 0]][:, near_u.astype(int)[0]]
    away = np.hypot(u - near_u - 0.5, v - near_v - 0.5) * 2
    r = rng.uniform(0.55, 0.92)
    body = 1 / (1 + np.exp(np.clip((away - r) * rng.uniform(10, 40), -30, 30)))
    ground = rng.uniform(0, 0.9)
    image = mix(np.float32(ground), level, body)
    if chance(rng, 0.6):
        image = image + rng.uniform(-0.4, 0.4) * np.exp(-(((away - r) * 12) ** 2))
    return image


def stars(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Points of light: a night sky, a galaxy, lamps of a town, diffraction spots, snow."""
    image = rng.uniform(0, 0.15) + rng.uniform(0, 0.3) * (
        texture(rng, width, height, "cloud") - 0.3
    )
    canvas = Canvas(width, height, np.clip(image, 0, 1))
    count = int(10 ** rng.uniform(1.2, 2.3))
    spots = rng.random((count, 2))
    kind = pick(rng, {"sky": 3, "galaxy": 2, "lamps": 2, "diffraction": 2})
    if kind == "galaxy":
        turn = rng.uniform(0, 9, count)
        arm = 0.03 * turn + 0.02 * rng.standard_normal(count)
        spots = np.stack([np.cos(turn) * arm, np.sin(turn) * arm * 0.6], 1) * 1.6 + 0.5
        canvas.ellipse(0.5, 0.5, 0.05, 0.035, 0.9)
    elif kind == "lamps":
        spots[:, 1] = 0.6 + 0.3 * spots[:, 1] ** 2
        count = min(count, 70)
    elif kind == "diffraction":
        base = rng.normal(0, 0.12, (2, 2)) + np.eye(2) * 0.05
        spots = rng.integers(-9, 10, (count, 2)) @ base + 0.5
        canvas.ellipse(0.5, 0.5, 0.04, 0.04, rng.choice([0.0, 1.0]))
    for (x, y), value in zip(spots[:count], rng.random(count) ** 2, strict=True):
        r = 0.002 + 0.012 * value
        canvas.ellipse(x, y, r, r, 0.4 + 0.6 * value)
        if kind == "lamps" and value > 0.2:
            canvas.line([[x, y], [x, y + 0.2 * value]], 0.3 + 0.3 * value, 0.004)
    return canvas.array()


CLASSES = {
    "cells": cells,
    "phantom": phantom,
    "spectrogram": spectrogram,
    "plate": plate,
    "stars": stars,
}
