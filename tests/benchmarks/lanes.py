"""How much more of a Grad-CAM map falls on the lanes of simulated gels than by chance.

    python tests/benchmarks/lanes.py [NETWORK] [--gels 60]

A linear head learns gel or not from simulated pictures, on a frozen network with the weights that
come with gellib. Then gels lie somewhere on an empty or a textured page. Where their lanes are is
known: the map's mean there, by its mean over the page, is the ratio; by chance it is 1. The maps of
other pages under the same lanes tell what a map that knows nothing of the picture gets.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

from gellib.labsim.simulate.camera import Scene, expose, photograph
from gellib.labsim.simulate.classes import CLASSES, draw_image
from gellib.labsim.simulate.stains import fluorescent
from gellib.labsim.simulate.textures import texture
from gellib.models.backbones import Backbone, build_backbone
from gellib.models.explain import explain_views
from gellib.models.features import unaugmented_view
from gellib.models.heads import Head, build_head

PAGE = 320


def gel_on_page(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a gel somewhere on a page: the picture, uint8, and where its lanes are, bool."""
    width, height = rng.integers(120, 200, 2)
    left, top = rng.integers(0, PAGE - width), rng.integers(0, PAGE - height)
    sheet, gel = fluorescent(rng, int(width), int(height), (4, 10), glow=0.1, contrast=1.0)
    paper = float(rng.uniform(0.1, 0.9))
    page = np.full((PAGE, PAGE), np.float32(paper))
    if rng.random() < 0.5:
        page += np.float32(0.2) * (texture(rng, PAGE, PAGE, "cloud") - 0.5)
    place = np.s_[top : top + height, left : left + width]
    page[place] = np.clip(expose(gel, rng, "stretched"), 0, 1)
    lanes = np.zeros((PAGE, PAGE), dtype=bool)
    # A lane runs from its first band to its last, as wide as they are.
    shown = sheet.signal > 0.05 * sheet.signal.max()
    lanes[place] = np.logical_or.accumulate(shown) & np.logical_or.accumulate(shown[::-1])[::-1]
    return photograph(Scene(page, "natural", "none"), rng), lanes


def trained(network: str, n: int, image_size: int = 224, seed: int = 0) -> tuple[Backbone, Head]:
    """Train a linear head on `n` simulated pictures a class."""
    rng = np.random.default_rng([seed, 0])
    backbone = build_backbone(network, weights="labsim", image_size=image_size)
    kinds = {is_gel: [k for k, g in CLASSES.items() if g == is_gel] for is_gel in (True, False)}
    views, y = [], []
    for is_gel, names in kinds.items():
        for i in range(n):
            image = draw_image(names[i % len(names)], rng, 280, 280)
            views.append(unaugmented_view(image, backbone.preprocessing))
            y.append(int(is_gel))
    parts = torch.from_numpy(np.stack(views)).split(16)
    features = torch.cat([backbone.extract(part) for part in parts]).numpy()
    fitted = LogisticRegression(C=0.01, max_iter=2000).fit(features, y)
    head = build_head("single", backbone.dim, 2, seed=0).eval()
    with torch.no_grad():
        head[0].weight.copy_(torch.from_numpy(np.concatenate([-fitted.coef_, fitted.coef_]) / 2))
        head[0].bias.copy_(torch.from_numpy(np.r_[-fitted.intercept_, fitted.intercept_] / 2))
    return backbone, head


def lane_ratios(
    backbone: Backbone, head: Head, n: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Ratios of `n` pages, and those with the maps of other pages."""
    rng = np.random.default_rng([seed, 1])
    pages = [gel_on_page(rng) for _ in range(n)]
    views = np.stack([unaugmented_view(image, backbone.preprocessing) for image, _ in pages])
    maps = explain_views(backbone, head, views, [1] * n).maps
    size, before = backbone.preprocessing.image_size, backbone.preprocessing.resize_size
    cut = (before - size) // 2
    masks, large = [], []
    for (_, lanes), shown in zip(pages, maps, strict=True):
        mask = np.asarray(Image.fromarray(lanes).resize((before, before)))
        masks.append(mask[cut : cut + size, cut : cut + size])
        whole = Image.fromarray(shown.astype(np.float32))
        large.append(np.asarray(whole.resize((size, size), Image.Resampling.BILINEAR)))
    usable = [i for i in range(n) if masks[i].any() and large[i].mean() > 0]

    def ratio(i: int, j: int) -> float:
        return float(large[i][masks[j]].mean() / large[i].mean())

    own = np.array([ratio(i, i) for i in usable])
    other = np.array([ratio(i, j) for i in usable for j in usable if i != j])
    return own, other


def main() -> None:
    """Print the ratios of one network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="?", default="resnet18")
    parser.add_argument("--gels", type=int, default=60)
    args = parser.parse_args()
    own, other = lane_ratios(*trained(args.network, 60), args.gels)
    print(
        f"{args.network}: on {len(own)} pages the map is {own.mean():.2f} times as bright on lanes "
        f"as on the page (median {np.median(own):.2f}; above 1 on {(own > 1).mean():.0%}); maps of "
        f"other pages {other.mean():.2f} times"
    )


if __name__ == "__main__":
    main()
