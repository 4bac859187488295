"""A home folder that may not be written to, as in containers and on nodes of a cluster."""

from __future__ import annotations

import os
from pathlib import Path


def settings_elsewhere_if_home_is_closed() -> None:
    """Give matplotlib and IPython temporary folders if those in the home folder cannot be made.

    They would make their own, say so at length in each process, and leave some of them.
    """
    home = Path(os.path.expanduser("~"))
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    usual = {"MPLCONFIGDIR": config / "matplotlib", "IPYTHONDIR": home / ".ipython"}
    for name, folder in usual.items():
        there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
        if name not in os.environ and not os.access(there, os.W_OK | os.X_OK):
            from gellib.base.temporary import temporary_folder

            os.environ[name] = os.path.join(temporary_folder(), folder.name)
            os.makedirs(os.environ[name], exist_ok=True)
