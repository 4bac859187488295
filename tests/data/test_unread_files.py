"""What is not read is named and counted; what a system put there is no image."""

import contextlib
import io
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from making.images import encode, make_raw_png, random_pixels, save_png
from PIL import Image

from gellib.data import DatasetError, find_unreadable, load_imageset
from gellib.data.file_notes import (
    blank_page_sentences,
    left_out_files,
    left_out_sentence,
    page_sentences,
)
from gellib.data.image_files import BadImageError, ImageInfo, file_digest
from gellib.data.images import examine_image, read_image

KINDS = {
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(40), "a"),
    "HEIC ": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40), "a.jpg"),
    "AVIF": (b"\0\0\0\x18ftypavif" + bytes(40), "a.png"),
    "camera's raw": (b"\0\0\0\x18ftypcrx " + bytes(40), "a"),
    "film": (b"\0\0\0\x18ftypisom" + bytes(40), "a"),
    "camera's raw ": (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "a.cr2"),
    "camera's raw  ": (b"FUJIFILMCCD-RAW 0201", "a.raf"),
    ".1sc": (b"\xaf\xaf" + bytes(30) + b"Stable File Version 2.0", "a"),
    ".1sc ": (b"\xaf\xaf\1\2\3\4\5", "a.1SC"),
    "NIfTI": (b"\x5c\1\0\0" + bytes(340) + b"n+1\0" + bytes(20), "a"),
    "NIfTI ": (b"\x1f\x8b\x08\0" + bytes(20), "a.nii.gz"),
    "CZI": (b"ZISRAWFILE" + bytes(50), "a"),
    "LIF": (b"p\0\0\0\x20\0\0\0*" + bytes(50), "a"),
    "ND2": (b"\xda\xce\xbe\x0a" + bytes(50), "a"),
    "ND2 ": (b"\0\0\0\x0cjP  " + bytes(50), "a.nd2"),
    "JPEG 2000": (b"\0\0\0\x0cjP  " + bytes(50), "a"),
    "JPEG 2000 ": (b"\xff\x4f\xff\x51" + bytes(50), "a.jp2"),
    "JPEG XL": (b"\xff\x0a" + bytes(50), "a"),
    "JPEG XL ": (b"\0\0\0\x0cJXL " + bytes(50), "a"),
    "PDF": (b"%PDF-1.7\n", "a"),
    "SVG": (b"<?xml version='1.0'?>\n<svg width='3'>", "a"),
    "SVG ": (b"<svg width='3'>", "a.png"),
    "PGM": (b"P5\n3 4\n255\n" + bytes(12), "a.pgm"),
    "Photoshop": (b"8BPS\0\1" + bytes(50), "a.tif"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "a.ims"),
    "git lfs pull": (b"version https://git-lfs.github.com/spec/v1\n", "a.png"),
    "only zeros": (bytes(5000), "a.png"),
    "slide": (b"nothing known", "a.mrxs"),
    "JPEG-LS": (b"\xff\xd8\xff\xf7\0\x0b" + bytes(40), "a.jpg"),
    "JPEG XR": (b"II\xbc\x01\x20\0\0\0" + bytes(40), "a.tif"),
    "web page": (b"\xef\xbb\xbf\n<!DOCTYPE html><title>Log in", "a.png"),
    "web page ": (b"<HTML><body>404", "a.tif"),
    "XML": (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "a.jpg"),
    "film ": (b"RIFF\1\2\3\4AVI LIST" + bytes(40), "a"),
    "film  ": (b"\x1aE\xdf\xa3" + bytes(40), "a.png"),
    "base64": (b"data:image/png;base64,iVBORw0KGgo=", "a.png"),
    "no longer common": (b"\0\0\2\0" + bytes(40) + b"x", "a.tga"),
}


@pytest.mark.parametrize("word", KINDS)
def test_what_it_is_and_what_to_do(word, tmp_path):
    data, name = KINDS[word]
    (tmp_path / name).write_bytes(data)
    for source, options in ((tmp_path / name, {}), (data, {"name": name})):
        with pytest.raises(BadImageError) as caught:
            read_image(source, **options)
        assert word.strip() in caught.value.reason
        assert not caught.value.reason.startswith("not an image")
        assert ":" in caught.value.reason


def dicom(path, values, patient="", **tags):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    data = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    data.PatientID = patient
    frames, (height, width) = values.ndim == 3, values.shape[-2:]
    data.Rows, data.Columns, data.SamplesPerPixel = height, width, 1
    if frames:
        data.NumberOfFrames = len(values)
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8 * values.dtype.itemsize
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(values.dtype.kind == "i")
    for name, value in tags.items():
        setattr(data, name, value)
    data.PixelData = values.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


RAMP = np.linspace(0, 4000, 400).astype(np.uint16).reshape(20, 20)


@pytest.mark.slow
def test_dicom(tmp_path):
    plain = read_image(dicom(tmp_path / "a.dcm", RAMP))
    assert np.corrcoef(plain.ravel(), RAMP.ravel())[0, 1] > 0.999
    assert np.array_equal(
        read_image(dicom(tmp_path / "b", RAMP, PhotometricInterpretation="MONOCHROME1")),
        255 - plain,
    )
    window = read_image(dicom(tmp_path / "c.dcm", RAMP, WindowCenter=1000, WindowWidth=500))
    assert (window[RAMP < 740] == 0).all()
    assert (window[RAMP > 1260] == 255).all()
    many = read_image(dicom(tmp_path / "d.dcm", RAMP, WindowCenter=[1000, 5], WindowWidth=[500, 9]))
    assert np.array_equal(window, many)
    info, first = examine_image(dicom(tmp_path / "e.dcm", np.stack([RAMP, RAMP[::-1]])))
    assert np.array_equal(first, plain)
    assert (info.file_type, info.frames) == ("DICOM", 2)
    signed = (RAMP.astype(int) - 1000).astype(np.int16)
    assert np.array_equal(read_image(dicom(tmp_path / "f.dcm", signed)), plain)
    cut = (tmp_path / "a.dcm").read_bytes()[:700]
    with pytest.raises(BadImageError):
        read_image(cut)


@pytest.mark.slow
def test_patients_are_groups(tmp_path):
    for name in ("ill", "well"):
        for number in range(4):
            path = tmp_path / name / f"{number}.dcm"
            dicom(path, RAMP + np.uint16(number), patient=f"P{number // 2}")
    assert sorted(load_imageset(tmp_path).table["group"]) == ["P0"] * 4 + ["P1"] * 4


def classes(root, count=3):
    for name in ("gel", "not_gel"):
        for number in range(count):
            seed = number + 10 * len(name)
            save_png(root / name / f"{number}.png", random_pixels(8, 8, seed=seed))


def test_files_that_are_not_read_are_counted(tmp_path):
    classes(tmp_path)
    for name in ("a.1sc", "b.1SC", "c.czi", "notes.txt", "labels.xlsx", "README"):
        (tmp_path / "gel" / name).write_bytes(b"x" * 40)
    images = load_imageset(tmp_path)
    counts = left_out_files(images)
    assert counts == {".1sc": 2, ".czi": 1}
    assert left_out_sentence(counts).startswith("3 files are of a kind that is not read")
    assert "2 .1sc, 1 .czi" in left_out_sentence(counts)
    assert left_out_sentence({}) == ""


SYSTEM = ["@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information"]
SYSTEM += ["~snapshot", "Recycled", "FOUND.000", "Network Trash Folder", "Temporary Items"]
SYSTEM += ["lost+found", "Thumbs", "Thumbs.db", "thumbnails", "__MACOSX", "@Recycle", ".Trash-1000"]


@pytest.mark.parametrize("name", [*SYSTEM, *map(str.upper, SYSTEM)])
@pytest.mark.slow
def test_system_folders_are_no_classes(tmp_path, name):
    classes(tmp_path)
    for place in (tmp_path, tmp_path / "gel"):
        save_png(place / name / "SYNOFILE_THUMB_M.png", random_pixels(4, 4))
    images = load_imageset(tmp_path)
    assert images.classes == ("gel", "not_gel")
    assert len(images) == 6
    assert left_out_files(images) == {}


def test_a_link_to_a_class_is_no_class_of_its_own(tmp_path):
    classes(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "gel", target_is_directory=True)
    assert load_imageset(tmp_path).classes == ("gel", "not_gel")


PASSES = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2)]
PASSES += [(1, 2, 0, 1)]  # of an interlaced PNG: first row, step, first column, step


@pytest.mark.parametrize("kind", [0, 2, 4, 6])
def test_interlaced_deep_png(kind, capfd):
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    values = np.random.default_rng(0).integers(0, 65536, (9, 10, channels), dtype=np.uint16)
    if kind > 2:
        values[..., -1] = 65535

    def rows(part):
        return b"".join(b"\0" + row.astype(">u2").tobytes() for row in part)

    passes = b"".join(rows(values[y::down, x::right]) for y, down, x, right in PASSES)
    plain = read_image(make_raw_png(10, 9, rows(values), 16, kind))
    assert np.array_equal(read_image(make_raw_png(10, 9, passes, 16, kind, 1)), plain)
    assert capfd.readouterr() == ("", "")


def test_a_class_may_be_called_thumbs_up(tmp_path):
    classes(tmp_path)
    save_png(tmp_path / "thumbs_up" / "a.png", random_pixels(4, 4))
    assert "thumbs_up" in load_imageset(tmp_path).classes


@pytest.mark.parametrize(
    "links", [["gel/up"], ["gel/other"], ["gel/other", "not_gel/other"], ["gel/self"], ["gel/a/up"]]
)
def test_link_loops_do_not_relabel(tmp_path, links):
    classes(tmp_path)
    (tmp_path / "gel" / "a").mkdir()
    for link in links:
        path = tmp_path / link
        other = "not_gel" if link.startswith("gel") else "gel"
        target = {"up": tmp_path, "other": tmp_path / other, "self": tmp_path / "gel"}[path.name]
        path.symlink_to(target, target_is_directory=True)
    images = load_imageset(tmp_path)
    assert len(images) == 6
    for row in images.table.itertuples():
        assert row.file.split("/")[0] == images.classes[row.label]


def test_links_to_folders_elsewhere_are_followed(tmp_path):
    classes(tmp_path / "set")
    save_png(tmp_path / "store" / "x.png", random_pixels(8, 8))
    (tmp_path / "set" / "gel" / "more").symlink_to(tmp_path / "store", target_is_directory=True)
    assert len(load_imageset(tmp_path / "set")) == 7


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["a.png", "a", "a.tif", "a.1sc"])
def test_pipes_never_hang(tmp_path, name):
    classes(tmp_path)
    os.mkfifo(tmp_path / "gel" / name)
    images = load_imageset(tmp_path).with_digests()
    left_out_files(images)
    reasons = [bad.reason for bad in find_unreadable(images)]
    listed = name in ("a.png", "a.tif")
    assert reasons == ["a folder or device, not a file"] * listed
    with pytest.raises(OSError):
        file_digest(tmp_path / "gel" / name)


def test_names_that_are_not_utf8_are_named(tmp_path):
    classes(tmp_path)
    try:
        os.rename(tmp_path / "gel" / "0.png", os.fsencode(tmp_path) + b"/gel/g\xe9l.png")
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(DatasetError, match=r"1 file names that are not UTF-8, such as gel/g\\xe9l"):
        load_imageset(tmp_path)


def test_pages_are_told(tmp_path):
    classes(tmp_path)
    first, second = (Image.fromarray(random_pixels(8, 8, seed=seed)) for seed in (1, 2))
    for number in range(2):
        data = encode(first, "TIFF", save_all=True, append_images=[second])
        (tmp_path / "gel" / f"p{number}.tif").write_bytes(data)
    infos = [examine_image(path)[0] for path in load_imageset(tmp_path).table["path"]]
    assert page_sentences(infos, tmp_path) == [
        "2 files hold several pages, the first is used, such as gel/p0.tif (2 pages)."
    ]
    blank = ImageInfo(str(tmp_path / "x.tif"), frames=1, note="the first page is blank")
    assert page_sentences([blank], tmp_path) == []
    assert blank_page_sentences([blank], tmp_path) == ["x.tif: the first page is blank."]
    # A file may be called so; that is no problem of the set.
    called = ImageInfo(str(tmp_path / "is blank.tif"), frames=3)
    assert blank_page_sentences([called], tmp_path) == []
    assert "is blank.tif (3 pages)" in page_sentences([called], tmp_path)[0]
    assert find_unreadable(load_imageset(tmp_path)) == []


def test_nothing_is_written_to_the_terminal(tmp_path, capfd):
    """Unknown and damaged tags make libtiff and tifffile talk."""
    image = Image.fromarray(random_pixels(40, 40, 3)).convert("YCbCr")
    for options in ({}, {"compression": "tiff_lzw"}):
        data = encode(image, "TIFF", tiffinfo={65000: "x", 65001: 7}, **options)
        read_image(data)
        for cut in (60, 200, len(data) - 30):
            with contextlib.suppress(BadImageError), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # those of Python itself
                read_image(io.BytesIO(data[:cut]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_check_and_run_say_what_was_left_out(tmp_path):
    from gellib.audit import check_dataset
    from gellib.audit.sentences import report_text
    from gellib.config import RunConfig
    from gellib.training_run.steps import load_images

    classes(tmp_path / "set", 8)
    (tmp_path / "set" / "gel" / "a.1sc").write_bytes(b"\xaf\xaf" + bytes(60))
    pages = [Image.fromarray(random_pixels(8, 8, seed=seed)) for seed in (1, 2)]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    (tmp_path / "set" / "gel" / "p.tif").write_bytes(data)
    report = check_dataset(tmp_path / "set")
    assert report.to_dict()["left_out"] == {".1sc": 1}
    assert "1 file holds several pages, the first is used" in report_text(report)
    config = RunConfig(dataset_dir=str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))
    for _ in range(2):  # decoded, and from the cache
        assert list(load_images(config).notes) == report.notes


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from /proc")
@pytest.mark.parametrize(("channels", "most_mb"), [(1, 600), (4, 1000)])
def test_the_memory_of_one_image_is_bounded(tmp_path, channels, most_mb):
    """A small file of 100 megapixels, which is just allowed."""
    rows = (b"\0" + bytes(range(1, channels + 1)) * 9990) * 9990
    kind = {1: 0, 4: 6}[channels]
    (tmp_path / "a.png").write_bytes(make_raw_png(9990, 9990, rows, color_type=kind))
    code = (
        "import re, sys; from gellib.data.images import read_image\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "before = peak(); read_image(sys.argv[1], color='rgb'); print((peak() - before) // 1000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")], capture_output=True, text=True
    )
    assert int(done.stdout) < most_mb, done.stderr
