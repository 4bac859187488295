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
    "torchvision.transforms.v2",
    "captum.attr",  # left out where it is not installed
    "gellib.sweeps.prepare",
    "gellib.plots",
    "gellib.report.summary",
)

gc.disable()
try:
    for _name in (*MODULES, *os.environ.get(MODULES_VARIABLE, "").split()):
        try:
            importlib.import_module(_name)
        except ModuleNotFoundError:
            pass
        except (ImportError, MemoryError) as err:
            failed_imports.append(f"{_name} cannot be loaded: {err or 'out of memory'}")
    gc.freeze()
finally:
    gc.enable()

if SERVER_VARIABLE in os.environ:
    # At exit the server has nothing to clean up, and to free every module would take seconds.
    atexit.register(os._exit, 0)
