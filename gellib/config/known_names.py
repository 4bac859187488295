"""Names that a configuration may have for networks and their weights."""

from __future__ import annotations

# Our own names, and the networks of torchvision or of a package that they stand for.
BACKBONE_ALIASES = {
    "mobilenet-v3": "mobilenet_v3_large",  # a name of the reference gel system
    "efficientnet-b0": "efficientnet_b0",
    "efficientnet-b2": "efficientnet_b2",
    "efficientnet-lite0": "efficientnet_lite0",
    "efficientnet-lite1": "efficientnet_lite1",
    "efficientnet-lite2": "efficientnet_lite2",
    "vit-b-16": "vit_b_16",
}
# Values of `weights`; all others are files.
NAMED_WEIGHTS = ("auto", "pretrained", "imagenet", "labsim", "none")
