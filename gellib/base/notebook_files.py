"""nbformat, imported without the parsers of web addresses that come with Jupyter.

nbformat imports jsonschema, which builds them where rfc3987-syntax is installed: two seconds of
processor time in each new interpreter, for a format that no part of a notebook has. What imports
nbformat itself, as papermill does, is imported after this module.
"""

import sys
from types import ModuleType

_PARSERS = "rfc3987_syntax"

if _PARSERS in sys.modules or "jsonschema" in sys.modules:
    import nbformat
else:
    sys.modules[_PARSERS] = ModuleType(_PARSERS)  # without its functions: taken for not installed
    try:
        import nbformat
    finally:
        del sys.modules[_PARSERS]

__all__ = ["nbformat"]
