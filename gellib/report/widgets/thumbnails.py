"""Images as the form shows them: small, as PNG, and within HTML as `data:` links."""

from __future__ import annotations

import base64
import io

from PIL import Image

from gellib.base.markup import in_html
from gellib.data.image_files import BadImageError
from gellib.data.images import read_image
from gellib.training_run.predictor import Source

PREVIEW_PX = 320
SMALL_PX = 96


def preview(source: Source, side: int = PREVIEW_PX) -> bytes:
    """Return an image as PNG, at most `side` pixels per side; empty if it cannot be read."""
    content = source[1] if isinstance(source, tuple) else source
    try:
        image = Image.fromarray(read_image(content, color="rgb"))
    except BadImageError:
        return b""
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return as_png(image)


def as_png(image: Image.Image) -> bytes:
    """Write an image as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def data_link(content: bytes, kind: str) -> str:
    """Return a link that holds a file itself, of a kind such as `image/png`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def image_tag(png: bytes, described: str, side: int = PREVIEW_PX) -> str:
    """Return an image as HTML, with a description for those who do not see it."""
    if not png:
        return ""
    style = f"max-width:min({side}px,100%);max-height:{side}px;height:auto;display:block;margin:0"
    return f"<img src='{data_link(png, 'image/png')}' alt='{in_html(described)}' style='{style}'>"
