"""Small texts of calls with numbers, such as `horizontal_flip rotation(10)`, read and checked."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gellib.base.text import did_you_mean

# All steps that there are, with every number, take a fifth of this.
_MOST_CHARACTERS = 1000
_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\(([^()]*)\))?\s*")

Call = tuple[str, dict[str, float]]


class Number(NamedTuple):
    """A number that a call takes: its default and the range that is allowed."""

    default: float
    low: float
    high: float


def read_calls(
    text: str, known: Mapping[str, Mapping[str, Number]], *, parameter: str, noun: str, example: str
) -> list[Call]:
    """Read calls separated by spaces; `none` or nothing is no call.

    Parameters
    ----------
    text
        The calls, as written.
    known
        By the name of a call, the numbers that it takes, by their names.
    parameter
        Name of the parameter, for messages.
    noun
        What its calls are called, for messages.
    example
        A correct text, for messages.

    Raises
    ------
    ValueError
        For unknown names, with the nearest known one, and for wrong numbers.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(
            f"{parameter}: got {len(text)} characters, expected at most {_MOST_CHARACTERS}: "
            f"{noun}s such as {example!r}, or 'none'"
        )
    calls, position = [], 0
    text = "" if text.strip() == "none" else text
    while text[position:].strip():
        match = _CALL.match(text, position)
        if match is None:
            raise ValueError(
                f"{parameter}: got {text!r}, which cannot be read from {text[position:]!r} on; "
                f"expected {noun}s such as {example!r}, or 'none'"
            )
        name, arguments = match.group(1), match.group(2) or ""
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(
                f"{parameter}: got {noun} {name!r}: {hint}Known {noun}s: {', '.join(known)}; "
                "or 'none'"
            )
        calls.append((name, _read_numbers(name, arguments, known[name], parameter)))
        position = match.end()
    return calls


def _read_numbers(
    name: str, arguments: str, numbers: Mapping[str, Number], parameter: str
) -> dict[str, float]:
    usage = f"{name}({', '.join(f'{key}={number.default:g}' for key, number in numbers.items())})"
    problem = f"{parameter}: got {name}({arguments}), expected {usage}"
    try:
        call: Any = ast.parse(f"_({arguments})", mode="eval").body
        given = dict(zip(numbers, map(ast.literal_eval, call.args), strict=False))
        given |= {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise ValueError(problem) from None
    twice = len(given) < len(call.args) + len(call.keywords)
    if twice or len(call.args) > len(numbers) or not set(given) <= set(numbers):
        raise ValueError(problem)
    for key, value in given.items():
        _, low, high = numbers[key]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise ValueError(f"{problem}, with {key} from {low:g} to {high:g}")
    return {key: float(given.get(key, number.default)) for key, number in numbers.items()}
