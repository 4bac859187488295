"""A trained model as one file: ONNX, or a page that predicts in a browser."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "onnx_file": ["export_onnx"],
        "outcome": ["Exported"],
        "page": ["export_page"],
    },
)
