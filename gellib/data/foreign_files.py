"""Say what a file is that is not read, and what its owner can do about it."""

from __future__ import annotations

import re
from pathlib import Path

READ = "PNG, JPEG, TIFF, BMP, GIF, WebP and DICOM"
# What the form for uploads offers to choose.
READ_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".dib", ".gif", ".webp"),
    *(".dcm", ".dicom", ".gel"),
)
_EXPORT = "export it as TIFF from the program of the instrument"
_IMAGEJ = "open it in ImageJ/Fiji and save it as TIFF"
_RAW = "a camera's raw file: save it as TIFF or JPEG with the camera's program"
_HEIC = "a phone photograph in HEIC: save it as JPEG (or set the phone to 'most compatible')"
_AVIF = "a picture in AVIF: save it as PNG or JPEG"
_JP2 = "a picture in JPEG 2000: save it as PNG or TIFF"
_JXL = "a picture in JPEG XL: save it as PNG or JPEG"
_SLIDE = "a slide scan: export a region of it as TIFF, with QuPath or the scanner's program"
_NIFTI = "a brain scan (NIfTI), a volume: export its slices as PNG, with ImageJ/Fiji or nibabel"
_BIORAD = f"a Bio-Rad scan (.1sc): {_EXPORT} (Image Lab or Quantity One)"
_OFFICE = "a document or archive: save the pictures in it as files of their own"
_SVG = "a drawing (SVG), not a photograph: export it as PNG"
_PDF = "a PDF, not a picture: export its page as PNG or TIFF"
_WEB_PAGE = (
    "a web page, not a picture: the download failed, often for want of a log-in; download it again"
)
_OLD = "a picture of a kind that is no longer common: save it as PNG or TIFF"
_FILM = "a film (MP4, MOV, AVI, ...), not a picture: save a frame of it as PNG"
_NETPBM = "a Netpbm picture (PGM, PPM): save it as PNG or TIFF"

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\0\0\0\x0cjP  ", _JP2),
    (b"\xff\x4f\xff\x51", _JP2),
    (b"\0\0\0\x0cJXL ", _JXL),
    (b"\xff\x0a", _JXL),
    (b"\xff\xd8\xff\xf7", "a picture in JPEG-LS: save it as PNG or TIFF"),
    (b"II\xbc\x01", "a picture in JPEG XR (.jxr, .wdp): save it as PNG or TIFF"),
    (b"qoif", "a picture in QOI: save it as PNG"),
    (b"DDS ", "a texture (DDS): save it as PNG"),
    (b"icns", "an icon (ICNS): save it as PNG"),
    (b"\x01\xda", "a picture of Silicon Graphics (SGI): save it as PNG"),
    (b"\x1aE\xdf\xa3", _FILM),
    (b"\0\0\x01\xba", _FILM),
    (b"FLV\x01", _FILM),
    (b"data:image/", "a picture written as text (base64): save the picture itself"),
    (b"{\\rtf", "a document (RTF): save the pictures in it as files of their own"),
    (b"%PDF", _PDF),
    (b"%!PS", "a PostScript page (EPS): export it as PNG or TIFF"),
    (b"<svg", _SVG),
    (b"8BPS", "a Photoshop file (PSD): save it as TIFF or PNG"),
    (b"gimp xcf", "a GIMP file (XCF): export it as PNG or TIFF"),
    (b"ZISRAWFILE", f"a Zeiss microscope file (CZI): {_IMAGEJ}"),
    (b"\xda\xce\xbe\x0a", f"a Nikon microscope file (ND2): {_IMAGEJ}"),
    (b"\x89HDF\r\n\x1a\n", f"an HDF5 file (such as .h5 or Imaris .ims): {_IMAGEJ}"),
    (b"\xd0\xcf\x11\xe0", f"an Office or older microscope file (ZVI, OIB): {_IMAGEJ}"),
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"IIRO", _RAW),
    (b"IIRS", _RAW),
    (b"IIU\0", _RAW),
    (b"FOVb", _RAW),
    (b"SIMPLE  =", f"an astronomer's file (FITS): {_IMAGEJ}"),
    (b"\x93NUMPY", "a NumPy array: save it as TIFF, with tifffile.imwrite"),
    (b"MATLAB ", "a MATLAB file: save its picture as TIFF, with imwrite"),
    (b"\x76\x2f\x31\x01", "a picture in OpenEXR: save it as TIFF"),
    (b"NRRD", f"a volume (NRRD): {_IMAGEJ}"),
    (b"PK\x03\x04", _OFFICE),
    (b"Rar!", _OFFICE),
    (b"7z\xbc\xaf", _OFFICE),
    (b"\x1f\x8b", _OFFICE),
    (b"\0\0\x01\0", "an icon (ICO): save it as PNG"),
    (b"version https://git-lfs", "a stand-in of Git LFS, not the picture itself: run git lfs pull"),
    (b"/annex/objects", "a stand-in of git-annex, not the picture itself: run git annex get"),
)
_BRANDS = {
    **dict.fromkeys(
        (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), _HEIC
    ),
    **dict.fromkeys((b"avif", b"avis"), _AVIF),
    b"crx ": _RAW,
    b"jp2 ": _JP2,
    b"jxl ": _JXL,
}
# Formats without a beginning that tells them, or whose beginning many share.
_SUFFIXES = {
    **dict.fromkeys((".heic", ".heif"), _HEIC),
    ".avif": _AVIF,
    ".jxl": _JXL,
    **dict.fromkeys((".jp2", ".j2k", ".jpx", ".jpf"), _JP2),
    ".1sc": _BIORAD,
    ".scn": f"a Bio-Rad Image Lab or Leica slide file (.scn): {_EXPORT}",
    **dict.fromkeys((".nii", ".nii.gz"), _NIFTI),
    ".czi": f"a Zeiss microscope file (CZI): {_IMAGEJ}",
    ".lif": f"a Leica microscope file (LIF): {_IMAGEJ}",
    ".nd2": f"a Nikon microscope file (ND2): {_IMAGEJ}",
    **dict.fromkeys((".oib", ".oif", ".vsi"), f"an Olympus microscope file: {_IMAGEJ}"),
    ".zvi": f"an older Zeiss microscope file (ZVI): {_IMAGEJ}",
    **dict.fromkeys((".dm3", ".dm4", ".mrc"), f"an electron microscope file: {_IMAGEJ}"),
    **dict.fromkeys((".svs", ".ndpi", ".mrxs", ".bif", ".vms"), _SLIDE),
    **dict.fromkeys(
        (".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".dng", ".orf", ".raf", ".rw2", ".pef"),
        _RAW,
    ),
    ".img": f"a file of a phosphor imager or an older scan (.img): {_EXPORT}",
    **dict.fromkeys((".svg", ".svgz"), _SVG),
    ".pdf": _PDF,
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), _NETPBM),
    **dict.fromkeys((".tga", ".pcx", ".pict", ".pct", ".wmf", ".emf"), _OLD),
    **dict.fromkeys((".mp4", ".mov", ".avi", ".wmv", ".mkv", ".mpg"), _FILM),
    **dict.fromkeys((".dcm", ".dicom", ".ima"), "a DICOM file whose beginning is damaged"),
}


def explain_file(head: bytes, name: str = "") -> str:
    """Say what a file is by its first bytes or its name, and what to do; empty if unknown.

    Parameters
    ----------
    head
        The first `HEAD_BYTES` of the file.
    name
        Its name, for formats that only the extension tells.
    """
    if head[4:8] == b"ftyp":
        if head[8:12] in _BRANDS:
            return _BRANDS[head[8:12]]
        found = next((what for brand, what in _BRANDS.items() if brand in head[16:64]), "")
        return found or _FILM
    if head[8:10] == b"CR" and head[:4] == b"II*\0":
        return _RAW
    if b"Stable File Version" in head[:128]:
        return _BIORAD
    if head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] == b"n+2\0":
        return _NIFTI
    if head[:4] == b"p\0\0\0" and head[8:9] == b"*":
        return _SUFFIXES[".lif"]
    suffix = _suffix(name)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"<svg" in text[:400] and text.startswith(b"<"):
        return _SVG
    if re.match(rb"<(!doctype html|html|head|body)\b", text, re.IGNORECASE):
        return _WEB_PAGE
    if text.startswith(b"<?xml"):
        return "a text (XML), not a picture: export the picture from the program that wrote it"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _FILM
    if text[:1] == b"P" and text[1:2] in b"123456" and text[2:3].isspace():
        return _NETPBM
    if suffix in (".nd2", ".nii.gz"):  # JPEG 2000 and gzip inside
        return _SUFFIXES[suffix]
    for start, what in _STARTS:
        if text.startswith(start) or head.startswith(start):
            return what
    if head and not head.strip(b"\0"):
        return "only zeros: the copy of this file was not finished; copy it again"
    return _SUFFIXES.get(suffix, "")


def explain_large(name: str) -> str:
    """Say what to do with a TIFF that is too large, if it is a slide scan; else empty."""
    return _SLIDE if _SUFFIXES.get(_suffix(name)) == _SLIDE else ""


def _suffix(name: str) -> str:
    lower = name.casefold()
    return ".nii.gz" if lower.endswith(".nii.gz") else Path(lower).suffix
