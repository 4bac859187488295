"""Every kind of image file that people have, and every way in which one can be broken."""

import hashlib
import io
import pickle
import struct
import threading
import warnings

import numpy as np
import pytest
from making.images import encode, make_ramp, make_raw_png
from PIL import Image, ImageFile

from gellib.data.image_files import BadImageError, ImageLimits, file_digest
from gellib.data.images import inspect_image, read_image
from gellib.data.pixels import stretch

SIZE = (12, 8)  # width, height
TYPES = {"PNG": "png", "JPEG": "jpg", "TIFF": "tif", "BMP": "bmp", "GIF": "gif", "WEBP": "webp"}


def ramp(width=SIZE[0], height=SIZE[1]):
    return make_ramp(width, height)


def deep(values, file_type="TIFF"):
    return encode(Image.fromarray(values), file_type)


@pytest.fixture
def weird(tmp_path):
    folder = tmp_path / "my géls {new} 凝胶"
    folder.mkdir()
    return folder


def reason(source, **options):
    with pytest.raises(BadImageError) as caught:
        read_image(source, **options)
    return caught.value.reason


@pytest.mark.parametrize("file_type", TYPES)
@pytest.mark.parametrize("color", ["grey", "rgb"])
def test_file_types(weird, file_type, color):
    path = weird / f"a b.{TYPES[file_type]}"
    options = {"lossless": True} if file_type == "WEBP" else {}
    Image.fromarray(ramp()).convert("RGB").save(path, file_type, **options)
    image = read_image(path, color=color)
    expected = ramp() if color == "grey" else np.stack([ramp()] * 3, axis=-1)
    assert image.dtype == np.uint8
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= (6 if file_type == "JPEG" else 0)
    info = inspect_image(path)
    assert (info.file_type, info.reason, info.frames) == (file_type, "", 1)
    assert (info.width, info.height, info.bit_depth) == (*SIZE, 8)
    assert info.bytes == path.stat().st_size


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_modes_give_the_same_image(mode):
    source = Image.fromarray(np.repeat(np.uint8([0, 255]), 48).reshape(8, 12))
    if mode in ("I;16", "I", "F"):
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        image = Image.fromarray(np.asarray(source).astype(kind) * 200)
    else:
        image = (source if mode in ("L", "LA", "P", "1") else source.convert("RGB")).convert(mode)
    assert image.mode == mode
    data = encode(image, "TIFF")
    assert Image.open(io.BytesIO(data)).mode == mode
    grey, rgb = read_image(data), read_image(data, color="rgb")
    assert np.array_equal(grey, np.asarray(source))
    assert rgb.shape == (8, 12, 3)
    assert np.array_equal(rgb[..., 1], np.asarray(source))


def test_grey_weighs_colours_as_the_eye_does():
    image = Image.new("RGB", (3, 1))
    image.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255)])
    assert read_image(encode(image)).tolist() == [[76, 150, 29]]
    palette = image.convert("P", palette=Image.Palette.ADAPTIVE)
    assert read_image(encode(palette)).tolist() == [[76, 150, 29]]


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bit_is_scaled_not_clipped(order):
    values = np.linspace(3000, 60000, 10_000).astype(order).reshape(100, 100)
    data = deep(values)
    assert Image.open(io.BytesIO(data)).mode == ("I;16" if order == "<u2" else "I;16B")
    image = read_image(data)
    assert (image.min(), image.max()) == (0, 255)
    assert abs(float(image.mean()) - 127.5) < 1
    assert len(np.unique(image)) == 256  # clipped, nearly all of it would be 255
    assert np.array_equal(image, read_image(deep(values.astype("<u2"), "PNG")))


def test_stretch_follows_the_percentiles():
    values = np.full(100_000, 1000, np.uint16)
    values[:50_000] = 2000
    values[0] = 65535  # a hot pixel does not decide the contrast
    assert stretch(values.reshape(100, 1000)).reshape(-1)[[0, 1, -1]].tolist() == [255, 255, 0]


def test_dim_camera_frame_uses_the_whole_range():
    values = np.random.default_rng(0).integers(300, 900, (64, 64)).astype(np.uint16)
    image = read_image(deep(values))
    assert image.min() == 0
    assert image.max() == 255


def test_eight_bit_data_in_a_larger_container_stays():
    for values in (ramp(), ramp() // 2):
        for kind in (np.uint16, np.int32):
            assert np.array_equal(read_image(deep(values.astype(kind))), values)
    assert read_image(deep(np.int32([[-100, 0, 155]]))).tolist() == [[0, 100, 255]]


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("value", [0, 300, 40000])
def test_constant_images_are_black(kind, value):
    assert not read_image(deep(np.full((4, 5), value, kind))).any()


def test_few_bright_pixels_on_an_even_ground():
    values = np.full((100, 100), 500, np.uint16)
    values[0, :3] = (600, 700, 900)
    assert read_image(deep(values))[0, :4].tolist() == [64, 128, 255, 0]


def test_floats_with_holes():
    values = np.linspace(-1, 1, 1000, dtype=np.float32).reshape(10, 100)
    values[0, :3] = (np.nan, np.inf, -np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(deep(values))
        huge = read_image(deep(values * np.float32(3e38)))
    assert image[0, :3].tolist() == [0, 255, 0]
    assert image[-1, -1] == 255
    assert np.abs(image.astype(int) - huge).max() <= 1
    nothing = deep(np.full((4, 5), np.nan, np.float32))
    assert reason(nothing) == "holds no finite number: every pixel is empty (NaN)"


def test_extreme_numbers_do_not_overflow():
    top = np.finfo(np.float64).max
    assert stretch(np.array([[-top, top * 0.6, top]])).tolist() == [[0, 204, 255]]
    ends = np.iinfo(np.int32)
    values = np.array([[ends.min, int(ends.max * 0.6), ends.max]], np.int32)
    assert stretch(values).tolist() == [[0, 204, 255]]


def test_tiff_whose_zero_is_white_is_turned_round():
    values = np.linspace(0, 60000, 96).astype(np.uint16).reshape(8, 12)
    image = Image.fromarray(values)
    plain, inverted = (encode(image, "TIFF", tiffinfo={262: kind}) for kind in (1, 0))
    assert Image.open(io.BytesIO(inverted)).tag_v2[262] == 0
    assert np.array_equal(read_image(inverted), 255 - read_image(plain))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_composited_over_white(mode):
    image = Image.new("RGBA", (3, 1))
    image.putdata([(0, 0, 0, 0), (0, 0, 0, 255), (0, 0, 0, 128)])
    assert read_image(encode(image.convert(mode))).tolist() == [[255, 0, 127]]


@pytest.mark.parametrize("file_type", ["PNG", "GIF"])
def test_transparent_palette(file_type):
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 10, 200, 30])
    image.putdata([0, 1])
    data = encode(image, file_type, transparency=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(data, color="rgb").tolist() == [[[255, 255, 255], [10, 200, 30]]]


def test_transparent_colour_without_alpha_channel():
    image = Image.fromarray(np.uint8([[0, 100, 200]]))
    assert read_image(encode(image, "PNG", transparency=100)).tolist() == [[0, 255, 200]]


@pytest.mark.parametrize("file_type", ["JPEG", "TIFF", "PNG", "WEBP"])
def test_exif_rotation(tmp_path, file_type):
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, :8] = 255  # bright on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise: bright on top
    path = tmp_path / "phone"
    options = {"tiffinfo": {0x0112: 6}} if file_type == "TIFF" else {"exif": exif}
    Image.fromarray(pixels).save(path, file_type, **options)
    image = read_image(path)
    assert image.shape == (16, 8)
    assert image[:6].mean() > 240
    assert image[-6:].mean() < 15
    assert (inspect_image(path).width, inspect_image(path).height) == (8, 16)


def test_exif_rotation_of_sixteen_bit():
    exif = Image.Exif()
    exif[0x0112] = 3
    values = np.linspace(0, 60000, 96).astype(np.uint16).reshape(8, 12)
    turned = read_image(encode(Image.fromarray(values), "PNG", exif=exif))
    assert np.array_equal(turned, read_image(deep(values))[::-1, ::-1])


def test_damaged_exif_does_not_matter():
    data = encode(Image.fromarray(ramp()), "PNG", exif=b"Exif\0\0not exif at all")
    assert np.array_equal(read_image(data), ramp())


@pytest.mark.parametrize("file_type", ["TIFF", "GIF", "PNG", "WEBP"])
def test_first_page_of_several(tmp_path, file_type):
    pages = [Image.new("RGB", (6, 4), color) for color in ("red", "lime", "blue")]
    path = tmp_path / "pages"
    options = {"lossless": True} if file_type == "WEBP" else {}
    pages[0].save(path, file_type, save_all=True, append_images=pages[1:], **options)
    assert read_image(path, color="rgb")[2, 2].tolist() == [255, 0, 0]
    assert inspect_image(path).frames == 3


@pytest.mark.parametrize("file_type", ["TIFF", "GIF"])
def test_damaged_second_page(tmp_path, file_type):
    pages = [Image.new("L", (40, 30), shade) for shade in (200, 50, 90)]
    path = tmp_path / "pages"
    pages[0].save(path, file_type, save_all=True, append_images=pages[1:])
    data = path.read_bytes()
    first = encode(pages[0], file_type)
    path.write_bytes(data[: len(first) + 20])
    assert inspect_image(path).reason == ""
    assert (read_image(path) == 200).all()


@pytest.mark.parametrize(
    ("values", "mode", "depth"),
    [(np.uint16, "I;16", 16), (np.int32, "I", 32), (np.float32, "F", 32), (np.uint8, "L", 8)],
)
def test_bit_depths(tmp_path, values, mode, depth):
    (tmp_path / "a").write_bytes(deep(ramp().astype(values)))
    info = inspect_image(tmp_path / "a")
    assert (info.mode, info.bit_depth) == (mode, depth)


def test_bit_depth_as_stored(tmp_path):
    row = b"\0" + struct.pack(">6H", 1 << 8, 2 << 8, 3 << 8, 4 << 8, 5 << 8, 6 << 8)
    (tmp_path / "rgb16").write_bytes(make_raw_png(2, 1, row, depth=16, color_type=2))
    info = inspect_image(tmp_path / "rgb16")
    assert (info.mode, info.bit_depth, info.reason) == ("RGB", 16, "")
    stretched = [[[0, 51, 102], [153, 204, 255]]]
    assert read_image(tmp_path / "rgb16", color="rgb").tolist() == stretched
    (tmp_path / "bits").write_bytes(encode(Image.new("1", SIZE)))
    assert inspect_image(tmp_path / "bits").bit_depth == 1
    (tmp_path / "two").write_bytes(make_raw_png(4, 1, b"\0\x1b", depth=2))
    assert inspect_image(tmp_path / "two").bit_depth == 2
    assert read_image(tmp_path / "two").tolist() == [[0, 85, 170, 255]]


def test_extension_is_not_believed(tmp_path):
    path = tmp_path / "really-a-png.jpg"
    path.write_bytes(encode(Image.fromarray(ramp())))
    assert np.array_equal(read_image(str(path)), ramp())
    assert inspect_image(path).file_type == "PNG"


def test_sources(tmp_path):
    data = encode(Image.fromarray(ramp()))
    (tmp_path / "a").write_bytes(data)
    for source in (str(tmp_path / "a"), tmp_path / "a", data, bytearray(data), io.BytesIO(data)):
        assert np.array_equal(read_image(source), ramp())
    with open(tmp_path / "a", "rb") as stream:
        assert np.array_equal(read_image(stream), ramp())
    with pytest.raises(ValueError, match="^color: got 'gray'. Expected 'grey' or 'rgb'.$"):
        read_image(data, color="gray")


def test_name_of_an_upload_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("L", SIZE, 99).save("same.bmp")
    data = encode(Image.fromarray(ramp()), "BMP")
    assert np.array_equal(read_image(data, name="same.bmp"), ramp())


def test_reading_gives_an_array_of_its_own():
    assert read_image(encode(Image.fromarray(ramp()))).flags.writeable


@pytest.mark.parametrize("file_type", TYPES)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated_files(tmp_path, file_type, part):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), file_type)
    path = tmp_path / f"cut.{TYPES[file_type]}"
    path.write_bytes(data[: int(len(data) * part)])
    info = inspect_image(path)
    assert info.file_type == file_type
    assert info.reason.startswith(
        (f"truncated or damaged {file_type} file", f"cannot be decoded as {file_type}: ")
    )
    with pytest.raises(BadImageError):
        read_image(path.read_bytes())
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_truncated_png_and_jpeg_say_so():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for file_type in ("PNG", "JPEG", "BMP", "GIF"):
        data = encode(Image.fromarray(noise), file_type)
        assert reason(data[: len(data) // 2]) == f"truncated or damaged {file_type} file"


@pytest.mark.parametrize("file_type", TYPES)
def test_garbage_behind_a_good_start(file_type):
    data = encode(Image.fromarray(ramp()), file_type)
    junk = np.random.default_rng(1).bytes(200)
    for keep in (18, 24):
        assert reason(data[:keep] + junk)


def test_plain_reasons(tmp_path):
    assert reason(b"") == "empty file"
    assert reason(b"once upon a time") == (
        "not an image (starts with b'once upon a '); "
        "PNG, JPEG, TIFF, BMP, GIF, WebP and DICOM are read"
    )
    assert reason(b"BMW is a car maker, not a bitmap").startswith("not an image (starts with b'BMW")
    assert reason(b"x").startswith("not an image (starts with b'x')")
    assert reason(tmp_path / "none.png") == "no such file"
    assert reason(tmp_path) == "a folder or device, not a file"
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    assert reason(tmp_path / "gone.png") == "no such file"
    assert reason(str(tmp_path / ("x" * 300))) == "cannot be opened: File name too long"


def test_limits():
    data = encode(Image.fromarray(ramp()))
    small = ImageLimits(max_bytes=100)
    assert reason(data, limits=small) == f"{len(data) / 1e6:.1f} MB, the limit is 0.0001 MB"
    assert reason(io.BytesIO(data), limits=small).endswith("the limit is 0.0001 MB")
    few = ImageLimits(max_pixels=95)
    assert reason(data, limits=few) == "0.0 megapixels, the limit is 9.5e-05"
    assert read_image(data, limits=ImageLimits(len(data), 96)).shape == (8, 12)


def test_size_in_megabytes(tmp_path):
    with open(tmp_path / "big.tif", "wb") as stream:
        stream.truncate(31_000_000)
    limits = ImageLimits(max_bytes=20_000_000)
    assert inspect_image(tmp_path / "big.tif", limits).reason == "31.0 MB, the limit is 20 MB"


def test_bomb_is_refused_by_its_header(tmp_path):
    bomb = make_raw_png(60_000, 60_000, bytes(1000))
    (tmp_path / "bomb.png").write_bytes(bomb)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nor does Pillow's own warning get out
        info = inspect_image(tmp_path / "bomb.png")
    assert info.reason == "3600.0 megapixels, the limit is 100"
    assert (info.width, info.height, info.mode) == (60_000, 60_000, "L")


def test_pillows_own_limit_is_left_alone(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for file_type in TYPES:
            image = read_image(encode(Image.fromarray(ramp()), file_type))
            assert image.shape == (8, 12)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_error_names_the_file(weird):
    path = weird / "bad {1}.png"
    path.write_bytes(b"")
    with pytest.raises(BadImageError) as caught:
        read_image(path)
    assert str(caught.value) == f"{path}: empty file"
    assert (caught.value.path, caught.value.reason) == (str(path), "empty file")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(BadImageError, match="^upload.png: empty file$"):
        read_image(b"", name="upload.png")
    with pytest.raises(BadImageError, match="^image: empty file$"):
        read_image(io.BytesIO())


def test_threads_do_not_disturb_each_other(tmp_path):
    for i in range(8):
        Image.new("L", (40, 40), i * 30).save(tmp_path / f"{i}.png")
    wrong = []

    def work(i):
        wrong.extend(i for _ in range(20) if read_image(tmp_path / f"{i}.png").max() != i * 30)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_digest(weird):
    (weird / "a").write_bytes(b"x" * 3_000_000)
    assert file_digest(weird / "a") == hashlib.sha256(b"x" * 3_000_000).hexdigest()
