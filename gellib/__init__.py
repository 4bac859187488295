"""Which transfer-learning set-up works on your images: compare, conclude, predict.

    >>> import gellib
    >>> gellib.check("my_images")                                    # doctest: +SKIP
    >>> sweep = gellib.sweep("runs/gel.yaml", dataset_dir="my_images")  # doctest: +SKIP
    >>> model = gellib.load(sweep.folder)                            # doctest: +SKIP
    >>> model.predict("new.tif")                                     # doctest: +SKIP

The names stand in `__init__.pyi`; each is imported when it is first used, because torch and pandas
take seconds.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
