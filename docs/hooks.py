"""What `mkdocs build` changes: the address of pyproject.toml, and links out of docs/ to it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def on_config(config: Any) -> Any:
    """Take the address of the repository from its one place."""
    (address,) = re.findall(r'^Repository = "(.+)"$', PROJECT.read_text(encoding="utf-8"), re.M)
    config.repo_url = address
    config.repo_name = "/".join(address.split("/")[-2:])
    return config


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn `../x`, which a reader of the repository follows, into an address."""
    return re.sub(r"\]\(\.\./", f"]({config.repo_url}/blob/main/", markdown)
