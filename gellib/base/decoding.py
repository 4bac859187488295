"""Text of files that a person may have saved: which encoding, and why it is none."""

from __future__ import annotations

import codecs
import re

_MARKS = (  # UTF-32 first: its mark for little-endian begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_FORMATS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind (.xls), or one with a password"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"SQLite format 3", "a database"),
    (b"{\\rtf", "a document (RTF)"),
)
_WEB_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|table|\?xml)\b", re.IGNORECASE)
# Three letters with accents in a row, or signs in a word, as no language of Western Europe has
# them: Cyrillic, Chinese, Japanese and others look so.
_NOT_WESTERN = re.compile(
    "[\u0192\u00a1-\u00bf\u00c0-\u00ff\u0160\u0161\u017d\u017e\u0152\u0153\u0178]{3}"
    "|[\u0192\u02c6][^\\W\\d_]|[^\\W\\d_][\u00a1-\u00a8\u00ab\u00ac\u00af\u00b0\u00b6\u00b8\u00b9\u00bb-\u00bf]"
    "[^\\W\\d_]"
)
# In the middle of a word, cp1252 has none of these, but Mac Roman has accented letters there.
_NOT_CP1252 = re.compile(
    "[A-Za-z][\u0160\u0152\u017d\u0178][a-z]|[A-Za-z][\u20ac\u201a\u201e\u2026\u2020\u2021\u02c6\u2030"
    "\u2039\u203a\u2022\u02dc][a-z]"
)


class UndecodableTextError(ValueError):
    """The bytes of a file are no text; the message says what was got, as the end of a sentence."""


def decode_text(data: bytes) -> str:
    """Decode a text file: UTF-8, UTF-16 or UTF-32, else cp1252, else Mac Roman; ends become LF.

    Mac Roman is taken where every line ends as on an old Mac, and where the text cannot be cp1252.

    Raises
    ------
    UndecodableTextError
        For other formats, zero bytes, and lines in different encodings.
    """
    text = _decode(data)
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\x1a")  # DOS ends files so
    if "\0" in text:
        raise UndecodableTextError("zero bytes, as no text has them")
    return text.removeprefix("\ufeff")


def _decode(data: bytes) -> str:
    for start, what in _FORMATS:
        if data.startswith(start):
            raise UndecodableTextError(f"{what} instead of text")
    if _WEB_PAGE.match(data):
        raise UndecodableTextError("a web page (HTML or XML) instead of text")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    if not encoding and b"\0" in data[:4000]:  # UTF-16 without a mark, if every second byte is zero
        odd, even = data[1:4000:2].count(0), data[0:4000:2].count(0)
        half = len(data[:4000]) / 4
        encoding = "utf-16-le" if odd > half > even else "utf-16-be" if even > half > odd else ""
    try:
        return data.decode(encoding or "utf-8")
    except UnicodeDecodeError as err:
        if encoding:
            raise UndecodableTextError(f"text that is cut off or damaged ({encoding})") from err
    return _decode_single_bytes(data)


def _decode_single_bytes(data: bytes) -> str:
    old_mac = b"\r" in data and b"\n" not in data
    lines = data.split(b"\r" if old_mac else b"\n")
    foreign = [number for number, line in enumerate(lines, 1) if not _is_utf8(line)]
    if any(not line.isascii() and _is_utf8(line) for line in lines):
        raise UndecodableTextError(
            f"lines in different encodings, such as UTF-8 and, in row {foreign[0]}, another one"
        )
    if old_mac:
        return data.decode("mac_roman")
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:  # bytes that cp1252 does not have
        return data.decode("mac_roman")
    if _NOT_CP1252.search(text):
        return data.decode("mac_roman")
    if found := _NOT_WESTERN.search(text):
        row = text.count("\n", 0, found.start()) + 1
        raise UndecodableTextError(f"letters in row {row} in an encoding that it does not name")
    return text


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
