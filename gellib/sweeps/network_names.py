"""Names of networks and weights, read from the source of torchvision and timm.

That takes a hundredth of the time of importing them. A test holds the names to those that the
packages list.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from gellib.base.text import did_you_mean
from gellib.config.known_names import BACKBONE_ALIASES

_OWN = frozenset(
    (*BACKBONE_ALIASES, "efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
)
_NO_LINEAR_LAYER = frozenset(("squeezenet1_0", "squeezenet1_1"))
_TIMM = "timm/"
_REGISTERED = re.compile(
    r'@register_model(?:\((?:name="([a-z0-9_]+)")?\))?[ ]*\n(?:@.*\n)*def (\w+)'
)
_TAGGED = re.compile(r"""['"](\w+\.[\w.-]+)['"]\s*:""")


def find_network_problem(name: str) -> str:
    """Say what is wrong with a value of `pretrained_model`; empty if nothing is."""
    parts = [part.strip() for part in name.split("+")]
    if "" in parts:
        return "expected names of networks around each '+', such as resnet18+efficientnet-lite0"
    problems = [problem for part in parts if (problem := _find_problem(part))]
    if not problems and len({BACKBONE_ALIASES.get(part, part) for part in parts}) < len(parts):
        return "it names a network twice; name each once"
    return "; ".join(problems)


def _find_problem(name: str) -> str:
    of_timm = name.startswith(_TIMM)
    plain = name.removeprefix(_TIMM)
    known, tagged = network_names("timm" if of_timm else "torchvision")
    architecture, _, tag = plain.partition(".")
    if not known or (plain if not of_timm else architecture) in known and not tag:
        return ""
    if of_timm and architecture in known and plain in tagged:
        return ""
    if name in _NO_LINEAR_LAYER:
        return f"{name!r} has no linear layer to replace; choose another, such as 'resnet18'"
    if of_timm and architecture in known:
        return _ask_timm(name)
    hint = did_you_mean(plain, known)
    hint = hint.replace("'", f"'{_TIMM}", 1) if of_timm else hint
    where = "timm" if of_timm else "torchvision"
    return f"{name!r} is no network of {where}: {hint}Common ones: resnet18, vgg16, mobilenet-v3"


def _ask_timm(name: str) -> str:
    """Check the tag of weights by timm itself, which computes some of their names."""
    from gellib.models.backbones import check_backbone

    try:
        check_backbone(name)
    except ValueError as err:
        return str(err)
    return ""


@cache
def network_names(package: str) -> tuple[frozenset[str], frozenset[str]]:
    """Read the names of a package's classifiers, and most of those with a tag of their weights.

    Both are empty where the package or its names are not found as expected.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return frozenset(), frozenset()
    names: set[str] = set()
    tagged: set[str] = set()
    for file in Path(spec.origin).parent.joinpath("models").glob("*.py"):
        text = file.read_text(encoding="utf-8")
        names.update(given or name for given, name in _REGISTERED.findall(text))
        tagged.update(_TAGGED.findall(text))
    if "resnet18" not in names:
        return frozenset(), frozenset()
    if package == "torchvision":
        names = (names | _OWN) - _NO_LINEAR_LAYER
    return frozenset(names), frozenset(tagged)
