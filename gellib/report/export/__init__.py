"""A trained model as one file: ONNX, or a page that predicts in a browser."""

import os

import lazy_loader as _lazy

# From 1.32 on, ONNX Runtime collects facts of its use to send them to Microsoft, on Linux too, and
# leaves the file `.ses` in the temporary folder. It reads this once, when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "onnx_file": ["export_onnx"],
        "outcome": ["Exported"],
        "page": ["export_page"],
    },
)
