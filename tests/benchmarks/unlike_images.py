"""How often images are flagged as unlike the training images, rightly and wrongly.

    python tests/benchmarks/unlike_images.py [NETWORK] [--weights labsim] [--real FOLDER]
        [--splits 20] [--cache FILE]

Random halves of a set (whole groups: images whose views of 64 px correlate by 0.99 or more) train a
linear head and the detectors, the other half has the images like them. FOLDER may hold `gel` and
`brain_mri`, each with a folder per class. Goal: 3 to 7 % of the rightly predicted images of the
other half are flagged. Then the share flagged of images of other kinds; in brackets, of those that
are predicted as the first class.

Compared are all training images and those of the predicted class alone, and three distances of
features, each with that of image statistics: the mean distance to the three nearest images
(gellib's), Mahalanobis's along the principal directions, and that from the plane of these.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.sparse.csgraph import connected_components
from sklearn.datasets import load_sample_images
from sklearn.linear_model import LogisticRegression

from gellib.data.images import read_image
from gellib.data.layouts.folders import find_images
from gellib.evaluation.conformal import conformal_limit
from gellib.labsim.simulate import brain_mri
from gellib.labsim.simulate.classes import CLASSES, draw_image
from gellib.models.backbones import build_backbone
from gellib.models.explain.out_of_distribution import (
    _covariance,
    fit_out_of_distribution,
    mahalanobis,
    unit,
)
from gellib.models.features import unaugmented_view, view_statistics

GOAL = 0.03, 0.07
SCENES = ("landscape", "street", "portrait", "building", "sea", "leaves")
OTHERS = (
    "gel",
    "brain_mri",
    "text_pages",
    "photographs",
    "sim_scenes",
    "noise",
    "blank",
    "inverted_gel",
    "coomassie",
)
SOURCES = (("gel", 70), ("brain_mri", 126), ("sim_gel", 92), ("sim_gel", 300), ("sim_mri", 100))
Arrays = dict[str, np.ndarray]
Score = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def draw_sets(real: Path | None, share: float = 1.0) -> tuple[dict[str, list[np.ndarray]], Arrays]:
    """Draw or read the images of each set, and the classes of the sets that train.

    `share` is that of the simulated images that are drawn: a sample takes fewer.
    """
    rng = np.random.default_rng(1)
    few, gels, brains = round(60 * share), round(600 * share), round(500 * share)
    sets: dict[str, list[np.ndarray]] = {}
    labels: Arrays = {}
    for name in ("gel", "brain_mri") if real else ():
        folders = sorted(path for path in (real / name).iterdir() if path.is_dir())
        files = [sorted(find_images(folder)) for folder in folders]
        sets[name] = [read_image(file, color="grey") for each in files for file in each]
        labels[name] = np.repeat(np.arange(len(folders)), [len(each) for each in files])
    kinds = [
        [name for name, is_gel in CLASSES.items() if is_gel is first] for first in (True, False)
    ]
    labels["sim_gel"] = np.arange(gels) % 2
    sets["sim_gel"] = [
        draw_image(kinds[c][rng.integers(len(kinds[c]))], rng, 300, 260) for c in labels["sim_gel"]
    ]
    labels["sim_mri"] = np.arange(brains) % 2
    sets["sim_mri"] = [
        np.asarray(brain_mri.draw_image(("no", "yes")[c], rng, 240, 240)) for c in labels["sim_mri"]
    ]
    sets["text_pages"] = [draw_image("text", rng, 300, 300) for _ in range(few)]
    sets["photographs"] = [crop_photograph(rng, i) for i in range(few)]
    sets["sim_scenes"] = [
        draw_image(name, rng, 300, 260) for name in SCENES for _ in range(few // len(SCENES))
    ]
    sets["noise"] = [noise(rng, even=i % 2 == 0) for i in range(few)]
    sets["blank"] = [blank(rng) for _ in range(few)]
    for name in ("gel",) if real else ():
        of_gels = np.flatnonzero(labels[name] == 0)
        sets["inverted_gel"] = [255 - sets[name][i] for i in of_gels]
    sets["coomassie"] = [draw_image("gel_coomassie", rng, 300, 260) for _ in range(few)]
    return sets, labels


def crop_photograph(rng: np.random.Generator, number: int) -> np.ndarray:
    """Crop one of scikit-learn's two photographs, and save it as JPEG."""
    photo = Image.fromarray(load_sample_images().images[number % 2]).convert("L")
    size = rng.integers(160, 400)
    x, y = rng.integers(0, photo.width - size), rng.integers(0, photo.height - size)
    file = io.BytesIO()
    photo.crop((x, y, x + size, y + size)).save(file, "JPEG", quality=85)
    return np.asarray(Image.open(file))


def noise(rng: np.random.Generator, *, even: bool) -> np.ndarray:
    """Draw even noise of all grey levels, or normal noise around one."""
    if even:
        return rng.integers(0, 256, (256, 256), dtype=np.uint8)
    drawn = rng.normal(rng.uniform(60, 190), rng.uniform(5, 40), (256, 256))
    return np.clip(drawn, 0, 255).astype(np.uint8)


def blank(rng: np.random.Generator) -> np.ndarray:
    """Draw an empty page, of one grey level or with a gradient."""
    ends = rng.uniform(0, 255, 2)
    page = np.linspace(ends[0], ends[rng.integers(2)], 256)[:, None] + rng.normal(0, 1, (256, 256))
    return np.clip(page, 0, 255).astype(np.uint8)


def describe(network: str, weights: str, real: Path | None, share: float = 1.0) -> Arrays:
    """Describe the sets: `f_` features, `s_` statistics, `g_` groups, `l_` classes of each."""
    backbone = build_backbone(network, weights=weights)
    sets, labels = draw_sets(real, share)
    found: Arrays = {f"l_{name}": values for name, values in labels.items()}
    for name, images in sets.items():
        views = np.stack([unaugmented_view(image, backbone.preprocessing) for image in images])
        with torch.inference_mode():
            parts = [backbone.extract(part) for part in torch.from_numpy(views).split(16)]
        found[f"f_{name}"] = torch.cat(parts).numpy()
        found[f"s_{name}"] = np.stack([view_statistics(view) for view in views])
        if name in labels:
            small = [
                Image.fromarray(v[0]).resize((64, 64), Image.Resampling.BILINEAR) for v in views
            ]
            found[f"g_{name}"] = group_alike(np.stack([np.asarray(image) for image in small]))
    return found


def group_alike(small: np.ndarray) -> np.ndarray:
    """Number the groups of images (n, h, w) that correlate by 0.99 or more."""
    flat = small.reshape(len(small), -1).astype(float)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    return connected_components(flat @ flat.T > 0.99)[1]


def principal(features: np.ndarray) -> Arrays:
    """Find the principal directions of images, and their variances; 32 count for all others."""
    x = unit(features)
    centre = x.mean(axis=0)
    vectors = np.linalg.svd(x - centre, full_matrices=False)[2][: min(16, len(x) // 4)]
    along = (((x - centre) @ vectors.T) ** 2).mean(axis=0)
    rest = ((x - centre) ** 2).sum(axis=1).mean() - along.sum()
    return {"centre": centre, "directions": vectors, "variances": np.append(along, rest / 32)}


def along_directions(fitted: Arrays, features: np.ndarray) -> np.ndarray:
    """Mahalanobis distance along the principal directions, with one variance for the rest."""
    away = unit(features) - fitted["centre"]
    along = (away @ fitted["directions"].T) ** 2
    rest = (away**2).sum(axis=1) - along.sum(axis=1)
    variances = fitted["variances"]
    return np.sqrt((along / variances[:-1]).sum(axis=1) + np.maximum(rest, 0) / variances[-1])


def off_directions(fitted: Arrays, features: np.ndarray) -> np.ndarray:
    """Distance from the plane of the first eight principal directions."""
    away, kept = unit(features) - fitted["centre"], fitted["directions"][:8]
    return np.linalg.norm(away - away @ kept.T @ kept, axis=1)


DISTANCES = {"along": (principal, along_directions), "off": (principal, off_directions)}


def fit_score(name: str, f: np.ndarray, s: np.ndarray, groups: np.ndarray) -> Callable:
    """Fit a distance of features and that of statistics: a score that is 1 at the limit."""
    pairs = [(f, *DISTANCES[name]), (s, _covariance, mahalanobis)]
    fold = np.unique(groups, return_inverse=True)[1] % 10
    left_out = np.empty((2, len(f)))
    for row, (x, fit, distance) in zip(left_out, pairs, strict=True):
        for k in range(10):
            row[fold == k] = distance(fit(x[fold != k]), x[fold == k])
    limits = np.array([conformal_limit(row, groups, 0.05)[0] for row in left_out])[:, None]
    limits = limits * conformal_limit((left_out / limits).max(axis=0), groups, 0.05)[0]
    fitted = [fit(x) for x, fit, _ in pairs]
    distances = [distance for *_, distance in pairs]

    def score(*of: np.ndarray) -> np.ndarray:
        each = [d(a, x) for d, a, x in zip(distances, fitted, of, strict=True)]
        return (np.stack(each) / limits).max(axis=0)

    return score


def detectors(f: np.ndarray, s: np.ndarray, y: np.ndarray, g: np.ndarray) -> dict[str, Score]:
    """Fit the detectors that are compared; each scores features, statistics, given classes."""
    rows = np.arange(len(f))
    own = fit_out_of_distribution(f, s, rows, rows[:0], labels=y, groups=g)
    scores: dict[str, Score] = {
        "gellib: by class": own.score,
        "gellib: all images": lambda x, z, c: own.score(x, z),
    }
    for name in DISTANCES:
        alone = fit_score(name, f, s, g)
        parts = [fit_score(name, f[y == c], s[y == c], g[y == c]) for c in (0, 1)]
        scores[f"{name}: by class"] = lambda x, z, c, parts=parts: np.where(
            c == 0, parts[0](x, z), parts[1](x, z)
        )
        scores[f"{name}: all images"] = lambda x, z, c, alone=alone: alone(x, z)
    return scores


def head(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Train a linear head by L-BFGS, as `fit_lbfgs` does."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.maximum(deviation, 0.01 * deviation.max())
    fitted = LogisticRegression(C=0.01, max_iter=300).fit((x - mean) / deviation, y)
    return lambda z: fitted.predict((z - mean) / deviation)


def measure(described: Arrays, source: str, n: int, splits: int) -> dict[str, dict[str, float]]:
    """Measure shares flagged over random halves, by detector and by kind of images."""
    f, s, y, g = (described[f"{part}_{source}"] for part in "fslg")
    others = [name for name in OTHERS if name != source and f"f_{name}" in described]
    others = [name for name in others if (source, name) != ("sim_gel", "coomassie")]
    counts: dict[str, dict[str, list[np.ndarray]]] = {}
    for number in range(splits):
        order = np.random.default_rng([number, 7]).permutation(g.max() + 1)
        inside = np.isin(g, order[: round(len(order) * n / len(f))])
        predict = head(f[inside], y[inside])
        tests = {"": (f[~inside], s[~inside])}
        tests |= {name: (described[f"f_{name}"], described[f"s_{name}"]) for name in others}
        for detector, score in detectors(f[inside], s[inside], y[inside], g[inside]).items():
            found = counts.setdefault(detector, {})
            for name, (features, statistics) in tests.items():
                given = predict(features)
                flagged = score(features, statistics, given) > 1
                if name:
                    kinds = {name: given >= 0, f"{name}, as the first class": given == 0}
                else:
                    right = given == y[~inside]
                    kinds = {"right": right, "wrong": ~right}
                for kind, rows in kinds.items():
                    found.setdefault(kind, []).append(flagged[rows])
    return {
        detector: {
            kind: float(np.concatenate(flags).mean()) if sum(map(len, flags)) else float("nan")
            for kind, flags in found.items()
        }
        for detector, found in counts.items()
    }


def main() -> None:
    """Print the shares, and the goal beside those of rightly predicted images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="?", default="efficientnet-lite0")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--cache", type=Path, help="file (.npz) that keeps the features")
    args = parser.parse_args()
    if args.cache and args.cache.exists():
        described = dict(np.load(args.cache))
    else:
        described = describe(args.network, args.weights, args.real)
        if args.cache:
            np.savez(args.cache, **described)
    for source, n in SOURCES:
        if f"l_{source}" not in described:
            continue
        rows = measure(described, source, n, args.splits)
        print(f"\n{args.network}, {source}, {n} images train; shares flagged, %")
        for name, shares in rows.items():
            right = shares["right"]
            met = "reached" if GOAL[0] <= right <= GOAL[1] else "MISSED"
            print(
                f"  {name:20} right {right:.1%} (goal 3-7 %: {met}) wrong {shares['wrong']:.0%} |",
                "  ".join(
                    f"{kind} {share:.0%} ({shares[f'{kind}, as the first class']:.0%})"
                    for kind, share in shares.items()
                    if f"{kind}, as the first class" in shares
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
