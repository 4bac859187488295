"""What a methods paragraph cites: marks in sentences, author and year, and BibTeX entries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from gellib.base.text import join_and

_FILE = Path(__file__).with_name("references.bib")
# Around the keys in a sentence: no name from outside has them, since markup replaces both.
_OPEN, _CLOSE = "\x02", "\x03"
_MARK = re.compile(f" ?{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_TIMM, _PLUS = "timm/", "+"
# Whole names of networks, without `timm/` and the tag of their weights, `-` written as `_`.
_NETWORKS = {
    r"resnet\d+": "he2016",
    r"resnext\d+_.*": "xie2017",
    r"wide_resnet.*": "zagoruyko2016",
    r"vgg\d+(_bn)?": "simonyan2015",
    r"mobilenet_?v3(_.*)?": "howard2019",
    r"mobilenet_?v2(_.*)?": "sandler2018",
    r"(tf_)?efficientnet_?v2_.*": "tan2021",
    r"(tf_)?efficientnet_(b\d|lite\d).*": "tan2019",
    r"mnasnet.*": "tan2019mnasnet",
    r"densenet\d+": "huang2017",
    r"convnext_.*": "liu2022",
    r"vit_.*dinov2.*": "oquab2024",
    r"vit_.*": "dosovitskiy2021",
    r"deit3_.*": "touvron2022",
    r"deit_.*": "touvron2021",
    r"swin_(t|s|b|tiny|small|base|large).*": "liu2021",
    r"maxvit_t": "tu2022",
    r"regnet_?[xy]_?\d+.*": "radosavovic2020",
    r"shufflenet_v2_.*": "ma2018",
    "googlenet": "szegedy2015",
    "inception_v3": "szegedy2016",
    "alexnet": "krizhevsky2014",
}


class BibliographyError(ValueError):
    """A bibliography cannot be written where it should be; the message says why."""

    exit_status = 2


def cite(*keys: str) -> str:
    """Mark where a sentence cites entries; nothing for none."""
    return f" {_OPEN}{','.join(keys)}{_CLOSE}" if keys else ""


def uncited(sentence: str) -> str:
    """Take the marks out of a sentence."""
    return _MARK.sub("", sentence)


def keys_in(sentences: Iterable[str]) -> list[str]:
    """List the keys that sentences cite, each once, in their order."""
    keys = (key for text in sentences for found in _MARK.findall(text) for key in found.split(","))
    return list(dict.fromkeys(keys))


def cited(sentence: str) -> str:
    """Write the marks in a sentence as authors and years: `(Guo et al., 2017)`."""
    return _MARK.sub(lambda m: f" ({'; '.join(map(author_year, m[1].split(',')))})", sentence)


def author_year(key: str) -> str:
    """Name an entry in a text: `Liu and Nocedal, 1989`."""
    entry = bibtex(key)
    authors, year = (
        match[1]
        for name in ("author", "year")
        if (match := re.search(rf"^  {name} = {{(.*)}},$", entry, re.M))
    )
    if authors.startswith("{"):
        return f"{authors.strip('{}')}, {year}"
    names = [author.partition(",")[0] for author in authors.split(" and ")]
    short = f"{names[0]} et al." if len(names) > 2 else join_and(names)
    return f"{short}, {year}"


def bibtex(key: str) -> str:
    """Return the BibTeX entry of a key.

    Raises
    ------
    KeyError
        When there is none.
    """
    return _entries()[key]


def check_bibliography(path: Path) -> None:
    """Refuse to write a bibliography over a file that has more than entries of gellib.

    Raises
    ------
    BibliographyError
        When it has.
    """
    if path.is_file() and not set(_split(path.read_text("utf-8", "replace"))) <= {
        *_entries().values()
    }:
        raise BibliographyError(
            f"{path} has entries that are not from gellib, and they would be lost: name another "
            "file, such as --bib gellib.bib, and cite from both"
        )


def network_keys(name: str) -> tuple[list[str], list[str]]:
    """Find the papers of a network, or of the parts of a joined one, and the parts without one."""
    keys, unknown = [], []
    for part in name.split(_PLUS):
        plain = part.removeprefix(_TIMM).partition(".")[0].replace("-", "_")
        found = next((key for form, key in _NETWORKS.items() if re.fullmatch(form, plain)), "")
        if found:
            keys.append(found)
        else:
            unknown.append(part)
    return list(dict.fromkeys(keys)), unknown


def from_timm(name: str) -> bool:
    """Whether timm builds a network, or a part of a joined one."""
    return any(map(_is_timm, name.split(_PLUS)))


def from_torchvision(name: str) -> bool:
    """Whether torchvision builds a network, or a part of a joined one."""
    return not all(map(_is_timm, name.split(_PLUS)))


def _is_timm(part: str) -> bool:
    return part.replace("-", "_").startswith((_TIMM, "efficientnet_lite"))


@cache
def _entries() -> dict[str, str]:
    text = _FILE.read_text(encoding="utf-8")
    return {re.match(r"@\w+{([^,]+),", part)[1]: part for part in _split(text)}  # type: ignore[index]


def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"^(?=@)", text, flags=re.M) if part.strip()]
