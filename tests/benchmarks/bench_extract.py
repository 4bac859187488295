"""Images a second from files to features on disk, against what decoding and computing allow.

    python tests/benchmarks/bench_extract.py [--quick] [--images N] [--out FILE]

Decoding and bare forward passes are measured alone on all cores; on the same cores both together
can do 1 / (1 / decode + 1 / forward) at best. Every size is measured in a process of its own,
which tells its memory. The images are JPEG of 256 pixels, no two files alike (`make_images`).
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import Memory, cores, make_images, parse, report

from gellib.sweeps import kernel_server

ALONE = 4000  # images by which decoding and forward passes are measured alone, at most


def measure(folder: str, count: int, network: str, image_size: int) -> dict[str, Any]:
    """Measure one size; runs in a fork."""
    import torch

    from gellib.data import load_imageset
    from gellib.models.backbones import build_backbone
    from gellib.models.features import FeatureStore, extract_stream, unaugmented_views

    torch.set_num_threads(cores())
    backbone = build_backbone(network, weights="none", image_size=image_size)
    backbone.calibrated = True  # what its features are worth does not matter here
    started = time.perf_counter()
    images = load_imageset(folder).with_digests()
    table_s = time.perf_counter() - started
    store = FeatureStore(Path(folder).parent / "cache")
    few = min(count, ALONE)
    paths = list(images.table["path"][:few])
    block = np.concatenate(
        list(unaugmented_views(paths[:256], backbone.preprocessing, store.limits))
    )

    def rate(work: Any, number: int) -> float:
        started = time.perf_counter()
        for _ in work:
            pass
        return number / (time.perf_counter() - started)

    def forward(number: int) -> Any:
        parts = (block[: min(len(block), number - i)] for i in range(0, number, len(block)))
        return extract_stream(parts, backbone, precision="auto", device="cpu", total=number)

    rate(forward(16), 16)
    decode = rate(unaugmented_views(paths, backbone.preprocessing, store.limits), few)
    alone = rate(forward(few), few)
    with Memory() as memory:
        started = time.perf_counter()
        store.unaugmented(images, backbone, progress=True)
        both = count / (time.perf_counter() - started)
    limit = 1 / (1 / decode + 1 / alone)
    return {
        "images": count,
        "decode_img_s": decode,
        "forward_img_s": alone,
        "limit_img_s": limit,
        "extract_img_s": both,
        "share_of_limit": both / limit,
        "table_and_digests_s": table_s,
        "anonymous_mib": memory.anonymous,
        "resident_mib": memory.resident,
    }


def main() -> None:
    """Measure each size and print what came out."""
    args = parse(__doc__, images=0, image_size=0)
    sizes = [args.images] if args.images else [1_000, 10_000, 100_000]
    sizes = [100, 300] if args.quick and not args.images else sizes
    image_size = args.image_size or (64 if args.quick else 224)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for count in sizes:
            folder = make_images(Path(name) / "images", count)
            rows.append(
                kernel_server.call(
                    "bench_extract:measure", str(folder), count, "resnet18", image_size
                )
            )
    more = {"network": "resnet18", "image_size": image_size}
    if len(rows) > 1:
        grown = rows[-1]["resident_mib"] - rows[-2]["resident_mib"]
        more["resident_mib_more_than_size_before"] = round(grown, 1)
    report("extract", args, rows, **more)


if __name__ == "__main__":
    main()
