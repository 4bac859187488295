"""Every combination of TIFF tags: read right, or refused in plain words."""

import io
import itertools
import re
import struct
import time

import numpy as np
import pytest
import tifffile
from making.images import encode
from making.matrices import spread
from PIL import Image, ImageOps

from gellib.data.image_files import BadImageError
from gellib.data.images import examine_image, read_image
from gellib.data.pixels import turn

ORDERS = "<>"
COMPRESSIONS = [None, "lzw", "zlib", "packbits", "zstd"]
# Words of decoders, which help nobody who has the picture.
JARGON = re.compile(
    r"mode|codec|libtiff|tifffile|tag|strip|buffer|error|exception|dtype|array|0x|-\d|\d{4}|None",
    re.I,
)


def truth(height=40, width=56):
    """Bands on a slope, from 0 to 1, unlike themselves when mirrored or turned."""
    y, x = np.mgrid[:height, :width]
    bands = sum(
        np.exp(-(((y - 4 - 7 * k) / 1.5) ** 2) - ((x - 9 - 11 * k) / 4.0) ** 2) for k in range(5)
    )
    image = bands + 0.2 * x / width + 0.1 * y / height
    return (image - image.min()) / np.ptp(image)


def stored(kind, bits=0, top=None):
    """The truth as numbers of a type; `top` is the largest where it is not that of the type."""
    kind = np.dtype(kind)
    if kind.kind == "f":
        return (truth() * 7.5 - 2).astype(kind)
    if kind.kind == "i":
        ends = np.iinfo(kind)
        return np.rint(truth() * 0.9 * (float(ends.max) - ends.min) + ends.min).astype(kind)
    top = top if top is not None else 2 ** (bits or kind.itemsize * 8) - 1
    return np.rint(truth() * top * (0.999 if kind.itemsize == 8 else 1)).astype(kind)


def inverse(values):
    if values.dtype.kind == "f":
        return -values
    ends = np.iinfo(values.dtype)
    return (ends.max - values.astype(object) + ends.min).astype(values.dtype)


def written(values, **options):
    buffer = io.BytesIO()
    options.setdefault("photometric", "minisblack")
    tifffile.imwrite(buffer, values, metadata=None, **options)
    return buffer.getvalue()


def likeness(data, color="grey"):
    """Correlation with the truth; None where it was refused in plain words."""
    try:
        image = read_image(data, color=color)
    except BadImageError as err:
        assert not JARGON.search(err.reason), err.reason
        return None
    image = image if image.ndim == 2 else image[..., 1]
    assert image.shape == truth().shape
    return np.corrcoef(image.ravel(), truth().ravel())[0, 1]


GREY = {
    "u8": stored("u1"),
    "u12 in 16": stored("u2", bits=12),
    "u16": stored("u2"),
    "dim u16": stored("u2", top=900),
    "u32": stored("u4"),
    "u64": stored("u8"),
    "i8": stored("i1"),
    "i16": stored("i2"),
    "i32": stored("i4"),
    "i64": stored("i8"),
    "f16": stored("f2"),
    "f32": stored("f4"),
    "f64": stored("f8"),
}


@pytest.mark.parametrize(("name", "compression"), spread(GREY, COMPRESSIONS, one_in=5))
@pytest.mark.slow
def test_one_channel(name, compression):
    for order, white, big, tile in itertools.product(ORDERS, (0, 1), (0, 1), (None, (16, 16))):
        values = inverse(GREY[name]) if white else GREY[name]
        options = {"photometric": "miniswhite"} if white else {}
        if name == "dim u16" and white:
            continue
        data = written(
            values, byteorder=order, bigtiff=big, tile=tile, compression=compression, **options
        )
        assert likeness(data) > 0.98, (order, white, big, tile)
        assert likeness(data, "rgb") > 0.98


SEVERAL = ["u8", "u12 in 16", "u16", "u32", "i16", "f16", "f32", "f64"]


@pytest.mark.parametrize(
    ("name", "channels", "compression"), spread(SEVERAL, [2, 3, 4, 5], COMPRESSIONS, one_in=5)
)
@pytest.mark.slow
def test_several_channels(name, channels, compression):
    planes = [(GREY[name] * (1 - 0.1 * k)).astype(GREY[name].dtype) for k in range(channels)]
    for order, planar, alpha in itertools.product(ORDERS, ("contig", "separate"), (0, 1, 2)):
        color = channels in (3, 4) and not (channels == 3 and alpha)
        mine = list(planes)
        if alpha and channels in (2, 4):
            full = 1 if mine[0].dtype.kind == "f" else np.iinfo(mine[0].dtype).max
            mine[-1] = np.full_like(mine[0], full)
        extra = channels - (3 if color else 1)
        # 0 and 2: nothing said, and straight alpha.
        kinds = [alpha if alpha and channels in (2, 4) else 0, *[0] * (extra - 1)]
        data = written(
            np.stack(mine, axis=-1 if planar == "contig" else 0),
            photometric="rgb" if color else "minisblack",
            planarconfig=planar,
            extrasamples=kinds if extra else None,
            byteorder=order,
            compression=compression,
        )
        assert likeness(data) > 0.98, (order, planar, alpha)
        assert likeness(data, "rgb") > 0.98


def packed(values, bits, order):
    """A TIFF whose samples follow each other bit by bit, rows at whole bytes."""
    lines = ["".join(format(int(v), f"0{bits}b") for v in row) for row in values]
    lines = [line + "0" * (-len(line) % 8) for line in lines]
    data = b"".join(int(line, 2).to_bytes(len(line) // 8, "big") for line in lines)
    data += bytes(len(data) % 2)
    height, width = values.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: height}
    tags[279] = len(data)
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, v) for tag, v in tags.items())
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data))
    return start + data + struct.pack(order + "H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 8, 10, 12, 14, 24])
def test_packed_bits(bits, order):
    values = stored("u4", bits)
    data = packed(values, bits, order)
    if bits == 24:  # programs do not agree on the order of its bytes
        assert likeness(data) is None
        return
    image = read_image(data)
    assert np.corrcoef(image.ravel(), values.ravel())[0, 1] > 0.999
    if bits == 1:
        assert np.array_equal(image, values * 255)


@pytest.mark.parametrize("index", ["u1", "u2"])
@pytest.mark.parametrize("entries", [255, 65535])
@pytest.mark.parametrize("order", ORDERS)
def test_palettes(index, entries, order):
    size = 2 ** (8 * np.dtype(index).itemsize)
    ramp = np.linspace(entries, 0, size).astype(np.uint16)  # 0 is white
    data = written(
        inverse(stored(index)),
        photometric="palette",
        colormap=np.stack([ramp] * 3),
        byteorder=order,
    )
    assert likeness(data) > 0.98
    assert read_image(data).max() == 255


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_ink(kind):
    ink = inverse(stored(kind))
    values = np.stack([ink, ink, ink, np.zeros_like(ink)], axis=-1)
    assert likeness(written(values, photometric="separated")) > 0.98


@pytest.mark.parametrize(
    "compression", ["jpeg", "jpeg2000", "webp", "png", "lerc", "lzma", "jpegxl"]
)
@pytest.mark.parametrize("name", ["u8", "u16", "f32"])
@pytest.mark.parametrize("channels", [1, 3])
def test_other_compressions(name, compression, channels):
    # JPEG has 12 bits at most, and tifffile writes what it is given.
    values = GREY["u12 in 16"] if (name, compression) == ("u16", "jpeg") else GREY[name]
    values = np.stack([values] * 3, axis=-1) if channels == 3 else values
    options = {"photometric": "rgb"} if channels == 3 else {}
    try:
        data = written(values, compression=compression, **options)
    except Exception:  # a combination that tifffile does not write
        return
    like = likeness(data)
    assert like is None or like > 0.98


@pytest.mark.parametrize("predictor", [True, False])
@pytest.mark.parametrize("name", ["u8", "u16", "u32", "f32"])
def test_predictors(name, predictor):
    for order in ORDERS:
        data = written(GREY[name], compression="zlib", predictor=predictor, byteorder=order)
        assert likeness(data) > 0.98


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_orientations(orientation, kind):
    data = written(stored(kind), extratags=[(274, 3, 1, orientation, True)])
    upright = read_image(written(stored(kind)))
    assert np.array_equal(read_image(data), turn(upright, orientation))
    if kind == "u1":
        shown = Image.open(io.BytesIO(data))
        assert np.array_equal(read_image(data), ImageOps.exif_transpose(shown))


def flat(mode):
    noise = np.random.default_rng(3).integers(0, 256, (33, 47, 4), dtype=np.uint8)
    if mode == "P":
        return Image.fromarray(noise[..., :3]).quantize(64)
    if mode in ("L", "1"):
        return Image.fromarray(noise[..., 0]).convert(mode)
    if mode == "LA":
        return Image.fromarray(noise[..., :2], "LA")
    if mode == "CMYK":
        return Image.fromarray(noise, "CMYK")
    return Image.fromarray(noise).convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK"])
def test_eight_bits_are_the_pixels_that_pillow_reads(mode):
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        if compression == "jpeg" and mode not in ("L", "RGB"):
            continue
        data = encode(flat(mode), "TIFF", compression=compression)
        shown = Image.open(io.BytesIO(data))
        if "A" in mode:
            shown = shown.convert("RGBA")
            shown = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown)
        shown = shown.convert("RGB") if mode not in ("1", "L") else shown
        assert np.array_equal(read_image(data), shown.convert("L")), compression
        assert np.array_equal(read_image(data, color="rgb"), shown.convert("RGB")), compression


def test_the_same_picture_has_the_same_pixels_in_any_container():
    grey = GREY["u12 in 16"]
    plain = read_image(written(grey))
    opaque = np.full_like(grey, 65535)
    for values, options in (
        (np.stack([grey] * 3, axis=-1), {"photometric": "rgb"}),
        (np.stack([grey] * 3), {"photometric": "rgb", "planarconfig": "separate"}),
        (np.stack([grey, opaque], axis=-1), {"extrasamples": [2]}),
        (np.stack([grey, opaque * 0], axis=-1), {"extrasamples": [2]}),
        (np.stack([grey, grey, grey, opaque * 0], axis=-1), {"photometric": "rgb"}),
    ):
        image = read_image(written(values, **options))
        assert np.abs(image.astype(int) - plain).max() <= 1


def test_deep_colour_shares_one_range():
    values = np.stack([GREY["u16"], GREY["u16"] // 2, GREY["u16"] // 4], axis=-1)
    red, green, blue = np.moveaxis(
        read_image(written(values, photometric="rgb"), color="rgb"), -1, 0
    )
    assert red.max() == 255
    assert abs(int(green.max()) - 128) < 20
    assert abs(int(blue.max()) - 64) < 20


def test_alpha_that_varies_shows_white():
    values = np.stack([GREY["u16"], np.where(truth() > 0.5, 0, 65535).astype(np.uint16)], axis=-1)
    image = read_image(written(values, extrasamples=[2]))
    assert (image[truth() > 0.5] == 255).all()
    assert image[truth() < 0.05].max() < 60


@pytest.mark.parametrize("photometric", [32803, 34892, 32844, 32845, 9, 51177])
def test_rare_colours_are_refused(photometric):
    data = bytearray(written(GREY["u16"]))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as tif:
        at = tif.pages[0].tags[262].valueoffset
    data[at : at + 2] = int(photometric).to_bytes(2, "little")
    assert likeness(bytes(data)) is None


@pytest.mark.parametrize("tag", [256, 257, 258, 259, 262, 277, 278, 279, 273, 339])
@pytest.mark.parametrize("value", [0, 7, 9999, 65535])
def test_damaged_tags(tag, value, tmp_path):
    """A tag with a wrong number: refused in plain words, or read as far as it says."""
    data = bytearray(written(GREY["u16"], extratags=[(339, 3, 1, 1, True)] if tag == 0 else ()))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as tif:
        if tag not in tif.pages[0].tags:
            return
        at = tif.pages[0].tags[tag].valueoffset
    data[at : at + 2] = value.to_bytes(2, "little")
    (tmp_path / "a.tif").write_bytes(data)
    info, pixels = examine_image(tmp_path / "a.tif")
    assert pixels is not None or not JARGON.search(info.reason), info.reason


def pages(*images, **options):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, **options) as tif:
        for values, kind in images:
            tif.write(values, subfiletype=kind, metadata=None, photometric="minisblack")
    return buffer.getvalue()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("kind", [1, 3])
def test_thumbnails_are_passed_over(tmp_path, kind, big):
    small = GREY["u16"][::4, ::4]
    (tmp_path / "a.tif").write_bytes(pages((small, kind), (GREY["u16"], 0), bigtiff=big))
    info, image = examine_image(tmp_path / "a.tif")
    assert np.array_equal(image, read_image(written(GREY["u16"])))
    assert (info.frames, info.note, info.width) == (1, "", 56)


def test_a_blank_first_page_is_told(tmp_path):
    empty = np.zeros_like(GREY["u16"])
    (tmp_path / "a.tif").write_bytes(pages((empty, 0), (GREY["u16"], 0)))
    info, image = examine_image(tmp_path / "a.tif")
    assert not image.any()
    assert info.note.startswith("the first of its 2 pages is blank")
    (tmp_path / "b.gif").write_bytes(
        encode(
            Image.new("L", (56, 40)),
            "GIF",
            save_all=True,
            append_images=[Image.fromarray(stored("u1"))],
        )
    )
    assert examine_image(tmp_path / "b.gif")[0].note == info.note


@pytest.mark.parametrize("first", [0, 255])
def test_a_first_page_of_dead_pixels_is_blank(tmp_path, first):
    nearly = np.full((400, 560), first, np.uint8)
    nearly[7, 9], nearly[3::50] = 128, abs(first - 1)
    (tmp_path / "a.tif").write_bytes(pages((nearly, 0), (GREY["u16"], 0)))
    assert "the first of its 2 pages is blank" in examine_image(tmp_path / "a.tif")[0].note
    nearly[100:104] = 128  # a faint line is a picture
    (tmp_path / "a.tif").write_bytes(pages((nearly, 0), (GREY["u16"], 0)))
    assert examine_image(tmp_path / "a.tif")[0].note == ""


@pytest.mark.parametrize("factor", [2, 4])
def test_thumbnails_without_a_word_are_passed_over(tmp_path, factor):
    small = GREY["u16"][::factor, ::factor]
    stack = pages((small, 0), (small, 0), (GREY["u16"], 0))  # two pages of one size: no pyramid
    (tmp_path / "a.tif").write_bytes(stack)
    assert examine_image(tmp_path / "a.tif")[0].frames == 3
    (tmp_path / "a.tif").write_bytes(pages((small, 0), (GREY["u16"], 0)))
    info, image = examine_image(tmp_path / "a.tif")
    assert (info.frames, info.width) == (1, 56)
    assert np.array_equal(image, read_image(written(GREY["u16"])))
    other = np.concatenate([small, small], axis=1)  # of another shape: a picture of its own
    (tmp_path / "a.tif").write_bytes(pages((other[: len(small) // 2], 0), (GREY["u16"], 0)))
    assert examine_image(tmp_path / "a.tif")[0].frames == 2


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("depth", ["u1", "u2"])
def test_an_alpha_that_was_never_filled_hides_nothing(kind, channels, depth):
    planes = [stored(depth)] * (channels - 1) + [np.zeros_like(stored(depth))]
    data = written(
        np.stack(planes, axis=-1),
        photometric="rgb" if channels == 4 else "minisblack",
        extrasamples=[kind],
    )
    assert likeness(data) > 0.98


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf, -3.4e38, 3.4028234663852886e38])
def test_holes_do_not_decide_the_contrast(hole):
    values = stored("f4").copy()
    values[:, :6] = hole
    image = read_image(written(values))[:, 6:]
    assert np.corrcoef(image.ravel(), truth()[:, 6:].ravel())[0, 1] > 0.98
    assert len(np.unique(image)) > 100


def test_further_channels_are_told(tmp_path):
    (tmp_path / "a.tif").write_bytes(written(np.stack([GREY["u16"]] * 5), planarconfig="separate"))
    assert examine_image(tmp_path / "a.tif")[0].note == "has 5 channels, and the first is used"


def test_many_pages_take_no_time(tmp_path):
    tags = struct.pack("<HHII", 256, 3, 1, 5)
    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number in range(20_000):
        after = len(data) + 18 if number < 19_999 else 0
        data += struct.pack("<H", 1) + tags + struct.pack("<I", after)
    started = time.perf_counter()
    assert likeness(bytes(data)) is None
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_height_beyond_the_file_is_refused(compression):
    data = bytearray(written(GREY["u8"], compression=compression))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as tif:
        for code in (257, 278):
            at = tif.pages[0].tags[code].valueoffset
            data[at : at + 3] = (1_200_000).to_bytes(3, "little")
    assert likeness(bytes(data)) is None
