"""Numbers from predictions: scores, intervals, calibration, paired tests, effects, ties.

All on plain arrays and tables; nothing here knows about torch or files.

The names stand in `__init__.pyi`; each is imported when it is first used: SciPy's statistics and
scikit-learn take a second or two.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
