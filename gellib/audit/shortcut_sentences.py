"""What the check says about shortcuts: which class has what, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from gellib.audit.shortcuts import INSIDE, REMOVED, Shortcut
from gellib.base.text import join_and

LOOKED_FOR = (
    "Looked for: files that cannot be read; duplicates; near-duplicate clusters; and what could "
    "tell the classes apart without the subject: file type, mode, size, tint, brightness, border, "
    "darkest and brightest levels, sharpness, noise and compression, and edges at one place, "
    "such as a date stamp, a watermark, a ruler or a label."
)
_SETTINGS = (
    "Compare the settings of camera or scanner, and the steps that prepared the images: all "
    "classes need the same"
)
_PAGE = "The page of the check (--html)"
_LOOK = (
    f"{_PAGE} shows the place: if there is a date stamp, a watermark, a ruler, a frame or a "
    "label, crop it away or cover it in all images."
)
# What to do about shortcuts in the images, which reading as grey does not remove.
_ADVICE = {
    "levels": f"{_SETTINGS} (exposure, gain, autocontrast).",
    "sharpness": f"{_SETTINGS} (focus, resolution, resizing, smoothing).",
    "grain": f"{_SETTINGS} (exposure, denoising).",
    "compression": "Export all images anew from the originals, in one format and quality.",
    "overlay": _LOOK,
}


def sentences(shortcuts: Sequence[Shortcut]) -> list[str]:
    """Describe the shortcuts: those that reading as grey removes, the others, and marks inside."""
    alone = [s for s in shortcuts if s.high and s.name not in ("together", *INSIDE)]
    removed = [s for s in alone if s.name in REMOVED]
    left = [s for s in alone if s.name not in REMOVED]
    result = []
    if removed:
        it = "it" if len(removed) == 1 else "them"
        result.append(
            f"{_list(removed)} alone separate{'s' if len(removed) == 1 else ''} the classes. "
            f"Images are read as grey, which removes {it}; with color: rgb a network could use "
            f"{it}."
        )
    if left:
        it = "it" if len(left) == 1 else "them"
        result.append(
            f"{_list(left)} {'still ' if removed else ''}separate"
            f"{'s' if len(left) == 1 else ''} the classes without the image content, and reading "
            f"images as grey at one size does not remove {it}: a network may learn {it} instead."
        )
    together = next((s for s in shortcuts if s.name == "together" and s.high), None)
    if together and not alone:
        result.append(
            f"File type, size, tint, brightness and border together separate the classes (AUC "
            f"{together.auc:.2f}, p = {together.p:.3f}), but none of them alone."
        )
    result += [inside_sentence(s) for s in shortcuts if s.high and s.name in INSIDE]
    return [sentence[0].upper() + sentence[1:] for sentence in result]


def inside_sentence(shortcut: Shortcut, *, below: bool = False) -> str:
    """Ask about one thing in the images whether it is the subject, and say what to do if not.

    `below` says that a figure of the place follows.
    """
    alone = "alone tell" if shortcut.name in ("levels", "overlay") else "alone tells"
    advice = _ADVICE[shortcut.name]
    if below:
        advice = advice.replace(_PAGE, "The figure")
    text = (
        f"{_list([shortcut])} {alone} the classes apart: is that the subject, or how the images "
        f"were made? {advice}"
    )
    return text[0].upper() + text[1:]


def _list(shortcuts: list[Shortcut]) -> str:
    return join_and(
        f"{s.label} (AUC {s.auc:.2f}, p = {s.p:.3f}{'; ' * bool(s.classes)}{s.classes})"
        for s in shortcuts
    )
