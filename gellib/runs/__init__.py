"""The folders that runs and sweeps write, their one table, and their one ranking.

Every file is written to a temporary name and renamed, so a reader never sees half of one; a run's
record is written last, and a run is done when its record says so. The names of this package stand
in `__init__.pyi`; each is imported when it is first used, because pandas takes a while.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
