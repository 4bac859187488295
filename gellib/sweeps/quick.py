"""A sweep as a quick test: the same runs with few images, two epochs and a small input."""

from __future__ import annotations

from typing import Any

from gellib.config import RunConfig

QUICK_EPOCHS = 2
QUICK_SIZE = 48
QUICK_IMAGES = 96


def quick_params(params: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Shrink a run's parameters; those that were set by hand are left alone."""
    limits = {
        "num_epochs": QUICK_EPOCHS,
        "image_size": QUICK_SIZE,
        "max_images": QUICK_IMAGES,
        "unfreeze_epoch": QUICK_EPOCHS - 1,
    }
    small = dict(params)
    for name, most in limits.items():
        if name in overrides or name not in RunConfig.model_fields:
            continue
        given = params.get(name, RunConfig.model_fields[name].default)
        unlimited = name == "max_images" and given == 0
        if unlimited or (isinstance(given, int) and given > most):
            small[name] = most
    return small


def quick_purpose(purpose: str) -> str:
    """Put ahead of a sweep's purpose that this is only a quick test."""
    return (
        f"A quick test ({QUICK_EPOCHS} epochs, {QUICK_SIZE} px, about {QUICK_IMAGES} images): it "
        f"shows that everything works, its scores mean nothing. {purpose}"
    ).strip()
