"""Where the images of the form come from: files that are uploaded."""

from __future__ import annotations

from typing import Any


def uploaded_files(value: Any) -> list[tuple[str, bytes]]:
    """Return names and bytes of a `FileUpload`: a dict in ipywidgets 7, a tuple of dicts in 8."""
    if isinstance(value, dict):
        return [(name, bytes(entry["content"])) for name, entry in value.items()]
    return [(entry["name"], bytes(entry["content"])) for entry in value]
