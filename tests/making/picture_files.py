"""Picture files of every kind that a page reads, and broken ones with the reason that it gives."""

import io

import numpy as np
import tifffile
from PIL import Image

from making.images import encode, make_blobs, make_raw_png, random_pixels


def tiff(pixels, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def deep(*shape, seed=0):
    """Numbers of 16 bits, most of them in a part of their range."""
    rng = np.random.default_rng(seed)
    return (3000 + 9000 * rng.random(shape) ** 3).astype(np.uint16)


def turned_jpeg(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    return encode(make_blobs(3, 61, 87), "JPEG", exif=exif, quality=95)


def pillow_png(mode, **options):
    image = Image.fromarray(random_pixels(45, 60, 4), "RGBA")
    if mode == "P":
        image = image.convert("RGB").quantize(17)
    return encode(image.convert(mode) if mode != "P" else image, "PNG", **options)


def filtered_png(depth, kind, parts):
    """A PNG whose rows have each of the five filters."""
    rows = random_pixels(11, 1 + -(-9 * depth * parts // 8), seed=depth + kind)
    rows[:, 0] = np.arange(11) % 5
    return make_raw_png(9, 11, rows.tobytes(), depth, kind)


def rows_of(values):
    """Rows of a PNG of 16 bits, without a filter."""
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)


GREY, COLOUR = make_blobs(1, 70, 55), random_pixels(53, 77, 3)
EXACT = {
    **{f"png {m}": pillow_png(m) for m in ("1", "L", "LA", "RGB", "RGBA", "P")},
    "png palette with transparency": pillow_png("P", transparency=3),
    "png grey with transparency": pillow_png("L", transparency=100),
    "png colour with transparency": encode(COLOUR // 100 * 100, transparency=(0, 100, 200)),
    "png of an alpha of zeros": encode(
        Image.fromarray(np.dstack([COLOUR, np.zeros(COLOUR.shape[:2], np.uint8)]))
    ),
    "png 16 bits with transparency": make_raw_png(
        50, 40, rows_of(deep(40, 50) // 3000 * 3000), 16, 0, extra=((b"tRNS", b"\x0b\xb8"),)
    ),
    **{
        f"png of an alpha of {alpha}": encode(
            Image.fromarray(np.dstack([GREY, np.full_like(GREY, alpha)]), "LA")
        )
        for alpha in (1, 128)
    },
    "png of an alpha of 0 and 1": encode(
        Image.fromarray(np.dstack([GREY, (GREY > 90).astype(np.uint8)]), "LA")
    ),
    "png 16 bits": encode(deep(40, 50)),
    "png 16 bits, bytes in words": encode(deep(40, 50) % 200),
    **{
        f"png {depth} bits of kind {kind}": filtered_png(depth, kind, parts)
        for depth, kind, parts in ((2, 0, 1), (4, 0, 1), (16, 2, 3), (16, 4, 2), (16, 6, 4))
    },
    **{
        f"tiff {c or 'plain'}": tiff(GREY, compression=c) for c in (None, "lzw", "zlib", "packbits")
    },
    **{
        f"tiff 16 bits, {c or 'plain'}, predictor {p}": tiff(
            deep(50, 43), compression=c, predictor=p
        )
        for c, p in ((None, None), ("lzw", None), ("lzw", True), ("zlib", True))
    },
    "tiff big-endian": tiff(deep(31, 45), byteorder=">"),
    "tiff tiles": tiff(deep(70, 90), tile=(32, 48), compression="zlib", predictor=True),
    "tiff strips": tiff(COLOUR, rowsperstrip=7, compression="lzw"),
    "tiff colour": tiff(COLOUR, photometric="rgb"),
    "tiff colour 16 bits": tiff(deep(33, 44, 3), photometric="rgb"),
    "tiff planes": tiff(np.moveaxis(COLOUR, -1, 0), photometric="rgb", planarconfig="separate"),
    "tiff alpha": tiff(random_pixels(30, 40, 4), photometric="rgb", extrasamples=["unassalpha"]),
    "tiff float": tiff(GREY.astype(np.float32) * 1e-3 - 0.05),
    "tiff float with NaN": tiff(np.where(GREY > 200, np.nan, GREY * 0.3).astype(np.float32)),
    "tiff float, predictor": tiff(GREY * np.float32(0.7), compression="zlib", predictor=True),
    "tiff with holes": tiff(
        np.where(GREY > 200, -9999, GREY * 0.3).astype(np.float32),
        extratags=[(42113, "s", 0, "-9999", True)],
    ),
    "tiff double": tiff(GREY * 0.7),
    "tiff signed": tiff(deep(40, 41).astype(np.int16) - 9000),
    "tiff 32 bits": tiff(deep(40, 41).astype(np.uint32) * 1000),
    "tiff white is zero": tiff(GREY, photometric="miniswhite"),
    "tiff white is zero, 16 bits": tiff(deep(40, 41), photometric="miniswhite"),
    "tiff of one bit": tiff(GREY > 120, photometric="minisblack"),
    "tiff palette": encode(Image.fromarray(COLOUR).quantize(40), "TIFF"),
    "tiff turned": tiff(deep(30, 50), extratags=[(274, "H", 1, 6, True)]),
    "tiff with a thumbnail first": b"",
    "bmp": encode(COLOUR, "BMP"),
    "gif": encode(GREY, "GIF"),
    "tall": encode(random_pixels(300, 71, 3)),
    "wide": encode(random_pixels(71, 300)),
    "small": encode(random_pixels(5, 3)),
}
EXACT["tiff with a thumbnail first"] = tiff(GREY[:20, :20], subfiletype=1)
NEAR = {
    "jpeg": (encode(COLOUR, "JPEG", quality=90), 2),
    "jpeg grey": (encode(GREY, "JPEG"), 0),
    **{f"jpeg turned {n}": (turned_jpeg(n), 0) for n in range(1, 9)},
    "webp": (encode(GREY, "WEBP", lossless=True), 0),
}
BROKEN = {
    "empty.png": (b"", "empty"),
    "text.png": (b"no picture at all", "foreign"),
    "cut.png": (encode(random_pixels(50, 50))[:900], "damaged"),
    "cut.tif": (tiff(deep(50, 50))[:2000], "damaged"),
    "cut lzw.tif": (tiff(deep(50, 50), compression="lzw")[:2000], "damaged"),
    "header.jpg": (b"\xff\xd8\xff\xe0 and no more", "damaged"),
    "nan.tif": (tiff(np.full((9, 9), np.nan, np.float32)), "blank"),
    "complex.tif": (tiff(np.ones((9, 9), np.complex64)), "rare"),
}
