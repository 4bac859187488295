"""What a wheel has beside the package: notebooks, sweep files and the demo images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PARTS = ("notebooks/*.ipynb", "runs/*.yaml", "dataset/README.md", "dataset/gel/**/*.*")


class ProjectFiles(BuildHookInterface):
    """Put the project's files into `gellib/_project`, where `gellib new` finds them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them; an editable install uses those of its clone."""
        if version == "editable":
            return
        root = Path(self.root)
        for pattern in PARTS:
            for file in sorted(root.glob(pattern)):
                name = file.relative_to(root).as_posix()
                build_data["force_include"][str(file)] = f"gellib/_project/{name}"
