"""YAML read as its author meant it: no value is silently another one, and all has bounds."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.resolver import Resolver

_MOST_CHARACTERS = 1_000_000
MOST_NODES = 100_000  # with each alias counted as often as it is used
MOST_DEPTH = 20

_NUMBERS = {
    "tag:yaml.org,2002:int": r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)",
    "tag:yaml.org,2002:float": (
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    ),
    "tag:yaml.org,2002:bool": r"true|True|TRUE|false|False|FALSE",
    "tag:yaml.org,2002:null": r"~|null|Null|NULL|",
    "tag:yaml.org,2002:merge": r"<<",
}
# What some readers of YAML take for a truth value or a number in another base.
_WORD = re.compile(r"(?:yes|no|on|off|y|n)", re.IGNORECASE)
_OTHER_BASE = re.compile(
    r"[-+]?(?:0[0-9_]+(?:\.[0-9]*)?|0[xob][0-9a-fA-F_]+|[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?|\.(?:inf|nan))",
    re.IGNORECASE,
)


class StrictYamlError(ValueError):
    """The text is refused; the message says where and why, as the end of a sentence."""


class _Strict(Composer, Resolver):
    """Numbers and words of YAML 1.2, and bounds of depth and size."""

    yaml_implicit_resolvers: dict[Any, Any] = {}
    _depth = 0
    peek_event: Any  # of the parser

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            line = self.peek_event().start_mark.line + 1
            raise StrictYamlError(f"line {line} is nested deeper than {MOST_DEPTH} levels")
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            line = event.start_mark.line + 1
            raise StrictYamlError(f"line {line} has the tag {event.tag}; tags are not read")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Loader(_Strict, yaml.SafeLoader):
    """PyYAML's safe loader, strict."""


# The scanner of libyaml, where PyYAML has it, takes a tenth of the time of that in Python.
_Fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _FastLoader(_Strict, _Fast):
    """The same over libyaml."""

    def __init__(self, text: str) -> None:
        _Fast.__init__(self, text)
        Composer.__init__(self)


for _tag, _pattern in _NUMBERS.items():
    _Strict.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), None)


def read_yaml(text: str) -> Any:
    """Read one document of YAML into plain values: dict, list, str, int, float, bool, None.

    Raises
    ------
    StrictYamlError
        For what is not YAML, more than one document, keys that stand twice, tags, values that
        other readers take otherwise (`yes`, `010`), and more than the bounds allow.
    """
    if len(text) > _MOST_CHARACTERS:
        raise StrictYamlError(
            f"it has {len(text):,} characters, expected at most {_MOST_CHARACTERS:,}"
        )
    try:
        try:
            return _read(_FastLoader(text))
        except (yaml.YAMLError, ValueError):
            return _read(_Loader(text))  # it has the better words for what is wrong
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        where = f" in line {mark.line + 1}" if mark else ""
        raise StrictYamlError(f"{err.problem or err.context}{where}") from err
    except yaml.reader.ReaderError as err:
        line = text.count("\n", 0, int(err.position)) + 1
        raise StrictYamlError(f"a control character in line {line}") from err
    except (yaml.YAMLError, RecursionError, ValueError) as err:
        if isinstance(err, StrictYamlError):
            raise
        raise StrictYamlError("it cannot be read") from err


def _read(loader: Any) -> Any:
    node = loader.get_single_node()
    if node is None:
        return None
    _count(node, {}, set())
    _check(node, set())
    return loader.construct_document(node)


def _count(node: Node, known: dict[int, int], above: set[int]) -> int:
    """Count the nodes below one, each alias as often as it is used."""
    if id(node) in above:
        raise StrictYamlError(f"line {_line(node)} refers to itself")
    if id(node) not in known:
        inner = above | {id(node)}
        known[id(node)] = 1 + sum(_count(child, known, inner) for child in _children(node))
    if known[id(node)] > MOST_NODES:
        raise StrictYamlError(f"line {_line(node)} stands for more than {MOST_NODES:,} values")
    return known[id(node)]


def _check(node: Node, seen: set[int]) -> None:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, ScalarNode):
        _check_scalar(node)
    if isinstance(node, MappingNode):
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise StrictYamlError(f"line {_line(key)} has a key that is no name")
            name = _same_key(key)
            if name in lines:
                raise StrictYamlError(
                    f"the key {key.value!r} stands in line {lines[name]} and again in line "
                    f"{_line(key)}; keep one"
                )
            lines[name] = _line(key)
    for child in _children(node):
        _check(child, seen)


def _same_key(key: ScalarNode) -> tuple[str, Any]:
    """Reduce a key to what it shares with others that are the same to Python or to the eye."""
    kind, text = key.tag.rpartition(":")[2], key.value
    if kind in ("int", "float"):
        return "number", float(text.replace("_", ""))
    if kind in ("bool", "null"):
        return kind, text.casefold() if kind == "bool" else None
    return "str", unicodedata.normalize("NFC", text)


def _check_scalar(node: ScalarNode) -> None:
    text = node.value
    if any(ord(char) < 32 and char not in "\n\t" or ord(char) == 127 for char in text):
        raise StrictYamlError(f"a control character in line {_line(node)}")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise StrictYamlError(f"line {_line(node)} has half a character, such as \\ud800")
    if node.tag == "tag:yaml.org,2002:float" and not math.isfinite(float(text)):
        raise StrictYamlError(f"line {_line(node)} has {text}, which is no finite number")
    if node.style or node.tag != "tag:yaml.org,2002:str":
        return
    if _WORD.fullmatch(text):
        raise StrictYamlError(
            f"line {_line(node)} has {text}, which some programs read as true or false; write "
            f"true or false, or '{text}' in quotes"
        )
    if _OTHER_BASE.fullmatch(text):
        raise StrictYamlError(
            f"line {_line(node)} has {text}, which some programs read as another number; write a "
            f"plain number, or '{text}' in quotes"
        )


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _line(node: Node) -> int:
    return node.start_mark.line + 1
