"""Write the address of the repository, `Repository` in pyproject.toml, wherever it stands.

    python docs/make_address.py

Badges, clone line and installation of README.md and the notebooks follow from it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What stands before an address, and what ends it.
_PLACES = (
    (r"(?<=repository-code: )https://\S+", "{address}"),
    (r"(?<=git clone )https://[^\s\"]+", "{address}"),
    (r"(?<=git\+)https://[^\s\"\\]+", "{address}"),
    (r"(?<=colab\.research\.google\.com/github/)[^/\s]+/[^/\s]+", "{slug}"),
    (r"(?<=raw\.githubusercontent\.com/)[^/\s]+/[^/\s]+", "{slug}"),
    (r"(?<=\[\\1\]\()https://[^\s)]+?(?=/blob/)", "{address}"),
)


def read_address() -> str:
    """Return the address that pyproject.toml names."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (address,) = re.findall(r'^Repository = "(.+)"$', text, re.M)
    return address


def pages() -> list[Path]:
    """List the files in which it stands."""
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    files = ("README.md", "pyproject.toml", "CITATION.cff")
    return [*(ROOT / name for name in files), *notebooks]


def with_address(text: str, address: str) -> str:
    """Replace the addresses in a text."""
    slug = "/".join(address.split("/")[-2:])
    for pattern, wanted in _PLACES:
        replacement = wanted.format(address=address, slug=slug)
        text = re.sub(pattern, lambda _, new=replacement: new, text)
    return text


if __name__ == "__main__":
    for path in pages():
        text = path.read_text(encoding="utf-8")
        changed = with_address(text, read_address())
        if path.suffix == ".ipynb":
            json.loads(changed)
        if changed != text:
            path.write_text(changed, encoding="utf-8")
            print(f"changed {path.relative_to(ROOT)}")
