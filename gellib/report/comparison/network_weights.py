"""The kinds of weights that the networks of a sweep had, with which they are compared."""

from __future__ import annotations

from collections.abc import Iterable

from gellib.base.markup import in_markdown
from gellib.base.text import join_and
from gellib.runs import Record

_KINDS = {
    "imagenet": "ImageNet weights",
    "labsim": "weights from simulated images (labsim)",
    "none": "random weights",
}


def weights_of_networks(records: Iterable[Record]) -> dict[str, list[str]]:
    """Name the networks of finished runs by their kind of weights.

    Empty where all had the same kind, or where a network had several, as in a grid over weights.
    """
    kinds: dict[str, set[str]] = {}
    for record in records:
        if record.done:
            network = str(record.config["pretrained_model"])
            kinds.setdefault(network, set()).add(record.weights.name)
    if len(set().union(*kinds.values())) < 2 or any(len(own) > 1 for own in kinds.values()):
        return {}
    found: dict[str, list[str]] = {}
    for network, (kind,) in kinds.items():
        found.setdefault(kind, []).append(network)
    return found


def weights_text(found: dict[str, list[str]]) -> str:
    """Write networks and their weights: `ImageNet weights for a; random weights for b and c`."""
    shown = {kind: join_and([in_markdown(own) for own in found[kind]]) for kind in found}
    return "; ".join(
        f"{_KINDS.get(kind, in_markdown(kind))} for {networks}" for kind, networks in shown.items()
    )


def weights_sentence(records: Iterable[Record]) -> str:
    """Say that networks with other kinds of weights were compared; empty where none were."""
    found = weights_of_networks(records)
    if not found:
        return ""
    return (
        f"The networks had other kinds of weights: {weights_text(found)}. What differs between "
        "them may be due to the weights."
    )
