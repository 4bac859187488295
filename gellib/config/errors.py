"""Wrong parameters, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

from gellib.base.text import did_you_mean, shorten

_MOST_SHOWN = 200


class ConfigError(ValueError):
    """One or more parameters are wrong; the message names each of them."""

    def _render_traceback_(self) -> list[str]:
        # Jupyter shows this instead of a traceback, which would say nothing about a parameter.
        return [f"ConfigError: {line}" for line in str(self).splitlines()]


def explain_problem(problem: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> str:
    """Say of one of pydantic's problems what was got and what is expected, in one line."""
    if not problem["loc"]:
        if (together := problem.get("ctx", {}).get("error")) is not None:
            return f"parameter {together}"  # parameters that do not go together
        shown = shorten(repr(problem["input"]), _MOST_SHOWN, middle=True)
        return f"parameter {shown} is unknown: its name is no text"
    name = ".".join(str(part) for part in problem["loc"])
    known = list(fields)
    if problem["type"] == "extra_forbidden":
        hint = did_you_mean(name, known)
        return f"parameter {name!r} is unknown: {hint}Known parameters: {', '.join(known)}."
    got = problem["input"]
    shown = shorten(repr(got), _MOST_SHOWN, middle=True)
    field = fields.get(name)
    about = f" ({field.description})" if field is not None else ""
    allowed = list(getattr(field.annotation, "__args__", ())) if field is not None else []
    hint = did_you_mean(str(got)[:_MOST_SHOWN], [str(word) for word in allowed])
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return (
        f"parameter {name!r}{about}: got {shown}, but {message}{'; ' if hint else ''}{hint.strip()}"
    )
