"""Sweeps: YAML -> run configurations -> papermill on Dask; resume; failures.

The names of this package stand in `__init__.pyi`; each is imported when it is first used, so that
listing sweeps does not wait for papermill.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
