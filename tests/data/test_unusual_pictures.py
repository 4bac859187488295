"""Pictures that programs write otherwise than usual: read right, or refused in plain words."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import tifffile
from making.images import encode, make_blobs, make_raw_png
from making.picture_files import rows_of
from PIL import Image

from gellib.data.image_files import BadImageError
from gellib.data.images import examine_image, read_image

GREY = make_blobs(4, 60, 80)
DEEP = GREY.astype(np.uint16) * 150 + 700
COLOUR = np.dstack([GREY, GREY[::-1], np.broadcast_to(np.arange(60, 220, 2, "u1"), GREY.shape)])


def tiff(values, without=(), **options):
    """Write a TIFF, and give the tags `without` numbers that nobody knows."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, metadata=None, **options)
    data = bytearray(buffer.getvalue())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as tif:
        for code in without:
            at = tif.pages[0].tags[code].offset
            data[at : at + 2] = (65000 + code % 100).to_bytes(2, "little")
    return bytes(data)


def set_tag(data, code, value, place=0):
    """Change one of the 16-bit numbers of a tag."""
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as tif:
        at = tif.pages[0].tags[code].valueoffset + 2 * place
    data[at : at + 2] = value.to_bytes(2, "little")


def likeness(data, truth=GREY, color="grey"):
    image = read_image(data, color=color)
    assert image.shape[:2] == truth.shape[:2]
    return np.corrcoef(image.ravel().astype(float), truth.ravel().astype(float))[0, 1]


def reason(data):
    with pytest.raises(BadImageError) as caught:
        read_image(data)
    return caught.value.reason


@pytest.mark.parametrize("values", [GREY, DEEP, GREY / np.float32(9)], ids=["u8", "u16", "f32"])
@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
def test_grey_without_a_word_on_what_is_white(values, compression):
    data = tiff(values, without=[262], compression=compression)
    assert likeness(data) > 0.999


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("depth", [1, 150])
def test_three_channels_without_a_word_on_colour(planar, depth):
    values = COLOUR.astype(np.uint16) * depth if depth > 1 else COLOUR
    values = np.moveaxis(values, -1, 0) if planar == "separate" else values
    data = tiff(np.ascontiguousarray(values), [262], photometric="rgb", planarconfig=planar)
    assert likeness(data, COLOUR, "rgb") > 0.999


@pytest.mark.parametrize("hole", [-9999.0, -1.0, 0.0, 1e6, -1e30])
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_pixels_without_a_measurement_do_not_decide_the_contrast(hole, kind):
    values = (GREY * 0.37 + 1).astype(kind)
    values[:25, :30] = hole
    image = read_image(tiff(values, extratags=[(42113, "s", 0, f"{hole:g}", True)]))
    seen = values != np.dtype(kind).type(hole)
    assert np.corrcoef(image[seen], GREY[seen])[0, 1] > 0.999
    assert len(np.unique(image[seen])) > 0.9 * len(np.unique(GREY[seen]))
    assert image[~seen].max() <= image[seen].min()


def test_pixels_without_a_measurement_as_integers():
    values = DEEP.astype(np.int32) // 2
    values[:25, :30] = -32768
    data = tiff(values.astype(np.int16), extratags=[(42113, "s", 0, "-32768", True)])
    assert len(np.unique(read_image(data)[25:])) > 100
    assert likeness(tiff(DEEP, extratags=[(42113, "s", 0, "none", True)])) > 0.999


@pytest.mark.parametrize("entries", [3, 16, 100])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_a_palette_that_is_too_short_is_damage(entries, kind):
    table = np.tile(np.linspace(0, 65535, 256 if kind == "u1" else 65536).astype("u2"), (3, 1))
    values = GREY if kind == "u1" else GREY.astype("u2") * 257
    data = bytearray(tiff(values, photometric="palette", colormap=table))
    assert likeness(bytes(data)) > 0.999
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as tif:
        at = tif.pages[0].tags[320].offset
    data[at + 4 : at + 8] = (3 * entries).to_bytes(4, "little")
    assert reason(bytes(data)) == "truncated or damaged TIFF file"


@pytest.mark.parametrize("depth", [1, 257])
@pytest.mark.parametrize("inks", [1, 3])
def test_ink_without_black(depth, inks):
    ink = 255 - (COLOUR if inks == 3 else GREY)
    ink = ink.astype(np.uint16) * depth if depth > 1 else ink
    data = bytearray(tiff(ink, photometric="rgb" if inks == 3 else "minisblack"))
    set_tag(data, 262, 5)
    data = bytes(data)
    assert likeness(data, COLOUR, "rgb") > 0.999 if inks == 3 else likeness(data) > 0.999


@pytest.mark.parametrize("channel", [0, 1, 3])
def test_channels_of_different_bits_are_refused(channel):
    values = np.dstack([COLOUR, GREY])
    data = bytearray(tiff(values, photometric="rgb", extrasamples=["unspecified"]))
    set_tag(data, 258, 6, channel)
    assert reason(bytes(data)).startswith("a TIFF whose channels differ in their number of bits")


@pytest.mark.parametrize("compression", [None, "lzw", "packbits", "zlib"])
def test_strips_whose_length_is_not_told(compression):
    assert likeness(tiff(GREY, without=[279], compression=compression)) > 0.999


@pytest.mark.parametrize("flag", [0, 1])
@pytest.mark.parametrize("factor", [2, 4])
def test_the_picture_may_lie_below_its_thumbnail(flag, factor):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as tif:
        tif.write(DEEP[::factor, ::factor], subifds=1, subfiletype=flag, metadata=None)
        tif.write(DEEP, metadata=None)
    assert likeness(buffer.getvalue()) > 0.999


@pytest.mark.parametrize("shape", ["pyramid", "other"])
def test_what_lies_below_a_picture_is_not_used(shape):
    below = DEEP[::2, ::2] if shape == "pyramid" else np.tile(DEEP[:, ::4], (3, 1))
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as tif:
        tif.write(DEEP, subifds=1, metadata=None)
        tif.write(np.ascontiguousarray(below), metadata=None)
    assert likeness(buffer.getvalue()) > 0.999


def png(values, extra=(), behind=()):
    kind = {2: 0, 3: 2}[values.ndim]
    height, width = values.shape[:2]
    if values.dtype == np.uint16:
        rows = rows_of(values.reshape(height, -1))
    else:
        rows = b"".join(b"\0" + row.tobytes() for row in values)
    return make_raw_png(width, height, rows, values.itemsize * 8, kind, extra=extra, behind=behind)


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_is_white(kind, channels):
    values = (GREY if kind == "u1" else DEEP).copy()
    values[:20] = clear = 100  # below all others that are used
    values[20:] = np.maximum(values[20:], 101)
    stored = values if channels == 1 else np.dstack([values] * 3)
    image = read_image(png(stored, extra=[(b"tRNS", struct.pack(">H", clear) * channels)]))
    assert (image[:20] == 255).all()
    assert np.corrcoef(image[20:].ravel(), GREY[20:].ravel())[0, 1] > 0.95


@pytest.mark.parametrize("alpha", [0, 1, 77, 254, 255])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_alpha_that_is_the_same_everywhere_says_nothing(alpha, kind, channels):
    if kind == "WEBP" and alpha == 0:
        return  # Pillow writes no colours there
    colors = [GREY] if channels == 1 else [GREY] * 3
    image = Image.fromarray(np.dstack([*colors, np.full_like(GREY, alpha)]))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    assert np.array_equal(read_image(encode(image, kind, **options)), GREY)


@pytest.mark.parametrize("top", [1, 3, 255])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_the_largest_alpha_is_opaque(top, kind):
    """A mask of 0 and 1, saved as bytes, shows what it covers."""
    alpha = np.where(np.arange(60)[:, None] < 20, 0, top) * np.ones_like(GREY)
    image = read_image(encode(Image.fromarray(np.dstack([GREY, alpha.astype(np.uint8)])), kind))
    assert (image[:20] == 255).all()
    assert np.array_equal(image[20:], GREY[20:])


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
@pytest.mark.parametrize("place", ["extra", "behind"])
@pytest.mark.parametrize(
    "values", [GREY, DEEP, COLOUR.astype(np.uint16) * 150], ids=["8", "16", "c"]
)
def test_long_texts_in_a_png_do_not_matter(name, place, values):
    if name == b"iCCP" and place == "behind":
        return
    long = zlib.compress(b"history " * 400_000)
    body = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[name] + long
    truth = GREY if values.ndim == 2 else np.asarray(Image.fromarray(COLOUR).convert("L"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert likeness(png(values, **{place: [(name, body)]}), truth) > 0.999


@pytest.mark.slow
def test_many_texts_in_a_png_do_not_matter():
    texts = [(b"zTXt", b"%d\0\0" % n + zlib.compress(b"x" * 900_000)) for n in range(90)]
    assert likeness(png(GREY, texts)) > 0.999


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_promises_more_than_it_holds(tmp_path, progressive):
    data = bytearray(encode(GREY, "JPEG", progressive=progressive))
    at = data.find(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    data[at : at + 2] = struct.pack(">H", 60_000)
    (tmp_path / "a.jpg").write_bytes(data)
    info, pixels = examine_image(tmp_path / "a.jpg")
    assert pixels is None
    assert info.reason == "truncated or damaged JPEG file"
    flat = Image.new("L", (1500, 1000), 200)  # one that is even has few bytes, and is right
    assert read_image(encode(flat, "JPEG", progressive=progressive)).min() > 190
