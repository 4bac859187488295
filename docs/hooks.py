"""What `mkdocs build` changes in the pages: links out of docs/ lead to the repository."""

from __future__ import annotations

import re
from typing import Any


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn `../x`, which a reader of the repository follows, into an address."""
    return re.sub(r"\]\(\.\./", f"]({config.repo_url}/blob/main/", markdown)
