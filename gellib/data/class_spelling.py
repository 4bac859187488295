"""What the names of classes suggest: two spellings of one, and words that stand for no label."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping

from gellib.base.text import JOIN, join_some, quote_some

# Words that people and programs write where they have no label.
_NO_LABEL = frozenset(
    "nan na n/a #n/a n.a. n.a null nil ? ?? ??? unknown unk - -- --- – — . tbd todo undefined "
    "missing unlabeled unlabelled not_available not_labeled not_labelled undetermined empty".split()
)
_MAYBE_NO_LABEL = frozenset(["none"])  # of tumours, for one, it is a class
_SEPARATORS = ",;/+&"
# A class of so few images, and so many times rarer than another, may be that one misspelt; in
# shorter names one letter is too much of a difference. No benchmark set these numbers.
_FEW, _MANY_TIMES, _SHORTEST = 2, 10, 3
_MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mrz|mai|okt|dez"
_DATE = re.compile(
    rf"\d{{1,2}}[-./ ]+({_MONTH})[a-z]*\.?([-./ ]\d{{2,4}})?|({_MONTH})[a-z]*\.?[-/ ]\d{{2}}"
    r"|\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./](\d{4}|\d{2})",
    re.IGNORECASE,
)


def name_problems(counts: Mapping[str, int]) -> list[str]:
    """Say which classes look like one, or like none; a sentence for each kind.

    Parameters
    ----------
    counts
        Number of images by name of the class.
    """
    problems = []
    same = _groups(counts)
    if same:
        shown = join_some(
            (" and ".join(f"{name!r} ({counts[name]} images)" for name in own) for own in same), 3
        )
        problems.append(
            f"Classes whose names differ in spelling only: {shown}. They are taken for different "
            "classes. Expected one spelling per class: correct the labels, or the names of the "
            "folders."
        )
    for name, other in _misspelt(counts):
        own = "one image" if counts[name] == 1 else "two images"
        problems.append(
            f"The class {name!r} ({own}) is one letter from {other!r} ({counts[other]} images), "
            "and rare: is it misspelt? It is taken for a class of its own."
        )
    hidden = [name for name in counts if _invisible(name)]
    if hidden:
        problems.append(
            f"Names of classes with invisible characters: {quote_some(map(ascii, hidden))}. "
            "Remove them."
        )
    no_label = [name for name in counts if plain_name(name) in map(plain_name, _NO_LABEL)]
    if no_label:
        n = sum(counts[name] for name in no_label)
        problems.append(
            f"{n} images are of the class {quote_some(no_label)}, which usually stands for no "
            "label. It is taken for a class. Remove these images or their rows, unless it is one."
        )
    dates = [name for name in counts if _DATE.fullmatch(name)]
    if dates and len(dates) < len(counts):
        problems.append(
            f"The class {quote_some(dates)} looks like a date, which a spreadsheet makes of names "
            "such as MARCH1 or 1-2. Correct it if it is not one; format the column as text first."
        )
    garbled = [name for name in counts if "\ufffd" in name or _is_garbled(name)]
    if garbled:
        problems.append(
            f"The class {quote_some(garbled)} has letters that were read in a wrong encoding "
            "before the table was saved. Correct them, and save the table as CSV UTF-8."
        )
    joined = [name for name in counts if _parts(name) and set(_parts(name)) <= set(counts)]
    if joined:
        problems.append(
            f"The class {quote_some(joined)} looks like several labels in one cell. It is taken "
            f"for one class. Separate the labels of an image by {JOIN}."
        )
    return problems


def name_notes(counts: Mapping[str, int]) -> list[str]:
    """Say which classes may be meant as no label, but may well be classes."""
    found = [name for name in counts if plain_name(name) in _MAYBE_NO_LABEL]
    return [f"The class {quote_some(found)} is taken for a class, not for no label."] * bool(found)


def plain_name(name: str) -> str:
    """Reduce a name to what two spellings of it share: no case, marks of width, `_` for a space.

    Numbers are equal if their values are: `1`, `1.0`, `01`.
    """
    text = "".join(c for c in unicodedata.normalize("NFKC", name) if not _is_invisible(c))
    text = text.casefold().strip("\"'` \t_")
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        return f"{float(text):g}" if len(text) < 15 else text
    text = re.sub(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])", "", text)  # between letters
    return re.sub(r"[\s_-]+", " ", text).strip() or text


def _groups(counts: Mapping[str, int]) -> list[list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in counts:
        found[plain_name(name)].append(name)
    return [names for names in found.values() if len(names) > 1]


def _misspelt(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Pair classes of one or two images with a frequent one that is one letter away."""
    found = []
    for name in counts:
        frequent = [one for one in counts if counts[one] >= _MANY_TIMES * counts[name]]
        near = [one for one in frequent if _one_letter_apart(plain_name(name), plain_name(one))]
        if counts[name] <= _FEW and len(near) == 1:
            found.append((name, near[0]))
    return found


def _one_letter_apart(one: str, other: str) -> bool:
    """Whether a letter is too much, missing, another, or changed places with the next."""
    if min(len(one), len(other)) < _SHORTEST or one == other:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:  # one begins with the other
        start = min(len(one), len(other))
    a, b = one[start:], other[start:]
    edits = ((a[1:], b), (a, b[1:]), (a[1:], b[1:]), (a[1:2] + a[:1] + a[2:], b))
    changed = (a + b)[:1] if len(a) != len(b) else a[:1] + b[:1]
    return any(x == y for x, y in edits) and changed.isalpha()


def _invisible(name: str) -> bool:
    odd_space = any(c.isspace() and c != " " for c in name)
    return odd_space or any(map(_is_invisible, name))


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in ("Cf", "Cc")


def _is_garbled(name: str) -> bool:
    """Whether a name is UTF-8 that a program read as cp1252."""
    try:
        return not name.isascii() and name.encode("cp1252").decode("utf-8") != name
    except UnicodeError:
        return False


def _parts(name: str) -> list[str]:
    for separator in _SEPARATORS:
        if separator in name:
            return [part.strip() for part in name.split(separator)]
    return []
