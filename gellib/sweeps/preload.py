"""What kernels are forked from: importing this module imports all that a run needs.

The garbage collector is off meanwhile, and objects that exist afterwards are frozen: with
half a million objects of imported modules to go through, it takes a quarter of the time of the
imports, and a third of a second for each full collection in a kernel. It would also write to memory
that the forks share.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
from collections.abc import Iterable

from gellib.base.without_compiler import without_compiler
from gellib.sweeps.kernel_server import failed_imports
from gellib.sweeps.server_start import MODULES_VARIABLE, SERVER_VARIABLE

# None of them may start threads or touch CUDA on import, nor look for a running IPython then, as
# matplotlib_inline does: figures would not show.
MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",  # each kernel imports it, though nobody steps through a sweep
    "IPython.core.completerlib",
    "matplotlib.pyplot",
    "seaborn",
    "pandas",
    "sklearn.metrics",
    "sklearn.model_selection",
    "scipy.stats",
    "torch",
    "torchvision",
    "captum.attr",  # left out where it is not installed
    "gellib.sweeps.prepare",
    "gellib.training_run.run",
    "gellib.plots",
    "gellib.report.summary",
)


def _load(names: Iterable[str]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            pass
        # With too little memory a library raises anything; who needs it meets it again.
        except Exception as err:
            failed_imports.append(f"{name} cannot be loaded: {err or 'out of memory'}")


gc.disable()
try:
    with without_compiler():
        _load([*MODULES, *os.environ.get(MODULES_VARIABLE, "").split()])
    gc.freeze()
finally:
    gc.enable()

if SERVER_VARIABLE in os.environ:
    # At exit the server has nothing to clean up, and to free every module would take seconds.
    atexit.register(os._exit, 0)
