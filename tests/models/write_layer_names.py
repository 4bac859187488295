"""Write `gellib/models/layer_names.json`: python tests/models/write_layer_names.py."""

import json

import torch

from gellib.models.backbones.layers import list_blocks, list_layers
from gellib.models.backbones.network_parts import remove_classifier
from gellib.models.backbones.sources import find_source
from gellib.models.known_layers import LAYER_NAMES

COMMON = (
    "resnet18", "resnet34", "resnet50", "vgg11", "vgg16", "vgg19", "mobilenet_v3_small",
    "mobilenet_v3_large", "efficientnet_b0", "efficientnet_b2", "efficientnet_lite0",
    "densenet121", "vit_b_16",
)  # fmt: skip


def layer_names():
    """Return of each common network how many blocks it has and the names of its layers."""
    found = {}
    for name in COMMON:
        with torch.device("meta"):
            network = find_source(name).make_network(name, 224)
        remove_classifier(network)
        found[name] = {"blocks": len(list_blocks(network)), "layers": list_layers(network)}
    return found


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(of)}" for name, of in layer_names().items()]
    LAYER_NAMES.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
