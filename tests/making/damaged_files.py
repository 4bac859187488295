"""Image files that are damaged, as hypothesis draws them."""

from __future__ import annotations

import io

import numpy as np
import tifffile
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from making.images import random_pixels


def encoded() -> dict[str, bytes]:
    """Small images of every file type that is read."""
    grey, rgb = random_pixels(24, 20), random_pixels(24, 20, 3)
    found = {}
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"):
        for name, pixels in (("grey", grey), ("rgb", rgb)):
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, kind)
            found[f"{kind} {name}"] = stream.getvalue()
    for name, pixels, options in (
        ("u16", grey.astype(np.uint16) * 200, {}),
        ("f32", grey.astype(np.float32), {}),
        ("lzw", rgb, {"compression": "lzw", "photometric": "rgb"}),
        ("deflate", grey, {"compression": "deflate", "predictor": True}),
        ("tiles", random_pixels(48, 48), {"tile": (16, 16)}),
        ("big", grey, {"bigtiff": True, "byteorder": ">"}),
        ("planes", rgb, {"photometric": "rgb", "planarconfig": "separate"}),
        ("pages", np.stack([grey] * 3), {"photometric": "minisblack"}),
    ):
        stream = io.BytesIO()
        tifffile.imwrite(stream, pixels, **options)
        found[f"TIFF {name}"] = stream.getvalue()
    return found


ENCODED = encoded()
# What a sentence for people has not.
DECODER_WORDS = ("Traceback", "PIL.", "struct.", "NoneType", "object has no", "Errno", "libtiff")


@st.composite
def damaged(draw, contents: list[bytes], head: int = 400) -> bytes:
    """A file with some bytes changed, cut out, repeated or put in; most of them near its start."""
    data = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(0, 6))):
        near = min(head, len(data)) if draw(st.booleans()) else len(data)
        at = draw(st.integers(0, max(near - 1, 0)))
        match draw(st.sampled_from(("flip", "set", "word", "cut", "drop", "repeat", "insert"))):
            case "flip" if data:
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "set" if data:
                data[at] = draw(st.sampled_from((0, 1, 127, 128, 255)))
            case "word":
                word = draw(st.sampled_from((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff")))
                data[at : at + 4] = word
            case "cut":
                del data[at:]
            case "drop":
                del data[at : at + draw(st.integers(1, 64))]
            case "repeat":
                data[at:at] = data[at : at + draw(st.integers(1, 64))]
            case "insert":
                data[at:at] = draw(st.binary(max_size=16))
    return bytes(data)


def draw_damaged(n: int, number: int) -> list[bytes]:
    """Draw so many damaged image files, the same for the same number."""
    found: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=n,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged(list(ENCODED.values())))
    def draw(data: bytes) -> None:
        found.append(data)

    draw()
    return found
