"""The parameters that are small texts of their own: augmentation, schedule, monitor, trainable.

They are checked here, without torch, so that a wrong one is refused before anything is started.
"""

from __future__ import annotations

from gellib.base.calls import Call, Number, read_calls
from gellib.base.text import did_you_mean

_SHARE = (0, 1)
# The random steps of augmentation, with the numbers that each takes.
AUGMENTATION_STEPS = {
    "random_resized_crop": {"scale_min": Number(0.08, 0.01, 1)},
    "random_crop": {"padding": Number(0.06, 0, 0.5)},
    "horizontal_flip": {"p": Number(0.5, *_SHARE)},
    "vertical_flip": {"p": Number(0.5, *_SHARE)},
    "rotation": {"degrees": Number(10, 0, 180)},
    "color_jitter": {
        "brightness": Number(0.2, *_SHARE),
        "contrast": Number(0.2, *_SHARE),
        "saturation": Number(0.2, *_SHARE),
        "hue": Number(0.02, 0, 0.5),
    },
    "random_erasing": {"p": Number(0.5, *_SHARE), "scale_max": Number(0.33, 0.02, 1)},
}
# Each schedule gives a factor; the learning rate is the configured one times this factor.
SCHEDULES = {
    "step": {"every": Number(10, 1, 100_000), "factor": Number(0.1, *_SHARE)},
    "cosine": {"final": Number(0, *_SHARE)},
    "one_cycle": {
        "warmup": Number(0.3, *_SHARE),
        "start": Number(0.04, *_SHARE),
        "final": Number(4e-6, *_SHARE),
    },
    "plateau": {"factor": Number(0.1, *_SHARE), "patience": Number(3, 0, 100_000)},
}
EPOCH_METRICS = ("loss", "accuracy", "f1")
MONITORED = tuple(f"{part}_{metric}" for metric in EPOCH_METRICS for part in ("train", "val"))
DIRECTIONS = ("min", "max")


def check_augmentation(text: str) -> list[Call]:
    """Parse `random_resized_crop horizontal_flip rotation(10)`; `none` or an empty text is no step.

    Raises
    ------
    ValueError
        For unknown steps, with the nearest known one, and for numbers out of range.
    """
    example = "horizontal_flip rotation(10)"
    return read_calls(
        text, AUGMENTATION_STEPS, parameter="augmentation", noun="step", example=example
    )


def check_schedule(text: str) -> tuple[str, dict[str, float]]:
    """Parse `one_cycle`, `step(10, 0.1)` or `none`: the name and the numbers of a schedule.

    Raises
    ------
    ValueError
        For an unknown schedule, with the nearest known one, for numbers out of range, and for more
        than one schedule.
    """
    example = "step(every=10, factor=0.1)"
    calls = read_calls(text, SCHEDULES, parameter="schedule", noun="schedule", example=example)
    if len(calls) > 1:
        raise ValueError(f"schedule: got {text!r}, expected one schedule, such as {example!r}")
    return calls[0] if calls else ("none", {})


def check_monitor(text: str) -> tuple[str, str]:
    """Parse `val_loss` or `max:val_f1`: the column, and whether `min` or `max` is best.

    Without a prefix, losses are minimised and all other columns are maximised.

    Raises
    ------
    ValueError
        For an unknown column, with the nearest known one, and for an unknown direction.
    """
    direction, colon, column = text.rpartition(":")
    column = column.strip()
    if colon and direction.strip() not in DIRECTIONS:
        raise ValueError(
            f"monitor: got direction {direction!r} in {text!r}, expected 'min:' or 'max:'"
        )
    if column not in MONITORED:
        hint = did_you_mean(column, MONITORED)
        raise ValueError(
            f"monitor: got {column!r}: {hint}Known columns: {', '.join(MONITORED)}; put min: or "
            "max: in front of the column to change its direction"
        )
    return column, direction.strip() or ("min" if column.endswith("loss") else "max")


def check_trainable(text: str) -> tuple[str, str]:
    """Parse `head`, `all`, `last:2` or `from:layer4`: the word, and the text after the colon.

    Raises
    ------
    ValueError
        For anything else.
    """
    word, colon, rest = (part.strip() for part in text.partition(":"))
    if word in ("head", "all") and not colon:
        return word, ""
    if word == "from" and rest:
        return word, rest
    if word == "last" and rest.isdecimal() and int(rest) > 0:
        return word, rest
    hint = did_you_mean(word, ("head", "all", "last", "from"))
    raise ValueError(
        f"trainable: got {text!r}: {hint}Expected head, last:<number of blocks>, "
        "from:<block or layer>, or all"
    )
