"""Use torchvision, timm and torch's optimisers without torch's compiler, slow to import.

Its import takes as long as that of all the rest. torchvision imports `torch._dynamo` for one
function, of the alignment of regions, and to mark a few of its own as not to be compiled; timm sets
one of its options; the optimisers mark methods, and tell it where a graph would end. gellib
compiles nothing.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

_COMPILER, _UTILS = "torch._dynamo", "torch._dynamo.utils"


@contextmanager
def without_compiler() -> Iterator[None]:
    """Let a stand-in take the compiler's place while libraries are imported, or optimisers run.

    It is gone afterwards: who compiles imports the real one then. Where the compiler is imported
    already, nothing changes; where a library asks for something else of it, the real one comes.
    """
    if _COMPILER in sys.modules:
        yield
        return
    compiler, utils = ModuleType(_COMPILER), ModuleType(_UTILS)
    compiler.__path__ = []  # a package, so that parts of it are looked for
    vars(compiler).update(
        disable=_unchanged, graph_break=_nothing, config=ModuleType("config"), utils=utils
    )
    vars(utils)["is_compile_supported"] = _is_compile_supported
    stand_ins = {_COMPILER: compiler, _UTILS: utils}

    def leave() -> None:
        for name, module in stand_ins.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]

    def look_up(module: str, attribute: str) -> Any:
        if attribute.startswith("__"):  # what the import system asks of every module
            raise AttributeError(attribute)
        leave()
        return getattr(importlib.import_module(module), attribute)

    for name, module in stand_ins.items():
        vars(module)["__getattr__"] = partial(look_up, name)
    sys.modules |= stand_ins
    try:
        yield
    finally:
        leave()


def _unchanged(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    return function


def _nothing() -> None:
    pass


def _is_compile_supported(device_type: str) -> bool:
    return bool(importlib.import_module(_UTILS).is_compile_supported(device_type))
