"""Images as forms and pages show them: small, and within HTML as `data:` links."""

from __future__ import annotations

import base64
import io

from PIL import Image

from gellib.base.markup import in_html
from gellib.data.image_files import BadImageError, ImageLimits
from gellib.data.images import read_image
from gellib.training_run.predictor import ImageSource

PREVIEW_PX = 320
SMALL_PX = 96


def preview(source: ImageSource, side: int = PREVIEW_PX) -> bytes:
    """Return an image as PNG, at most `side` pixels per side; empty if it cannot be read."""
    return encode(_small(source, side), "PNG")


def thumbnail(
    source: ImageSource, side: int = SMALL_PX, limits: ImageLimits | None = None
) -> bytes:
    """Return an image as JPEG of a few kB, for many of them; empty if it cannot be read."""
    return encode(_small(source, side, limits), "JPEG")


def _small(source: ImageSource, side: int, limits: ImageLimits | None = None) -> Image.Image | None:
    content = source[1] if isinstance(source, tuple) else source
    try:
        image = Image.fromarray(read_image(content, color="rgb", limits=limits))
    except BadImageError:
        return None
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def encode(image: Image.Image | None, kind: str) -> bytes:
    """Write an image as `PNG` or `JPEG`; empty where there is none."""
    buffer = io.BytesIO()
    if image is not None:
        image.save(buffer, format=kind, quality=80)
    return buffer.getvalue()


def data_link(content: bytes, kind: str) -> str:
    """Return a link that holds a file itself, of a kind such as `image/png`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def image_tag(content: bytes, described: str, side: int = PREVIEW_PX) -> str:
    """Return a PNG or JPEG as HTML, with a description for those who do not see it."""
    if not content:
        return ""
    kind = "image/png" if content.startswith(b"\x89PNG") else "image/jpeg"
    style = f"max-width:min({side}px,100%);max-height:{side}px;height:auto;display:block;margin:0"
    return f"<img src='{data_link(content, kind)}' alt='{in_html(described)}' style='{style}'>"
