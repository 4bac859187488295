"""Sweeps: YAML -> run configurations -> papermill on Dask; resume; failures."""

from gellib.sweeps.driver import Outcome, run_sweep
from gellib.sweeps.plan import is_running, status_of
from gellib.sweeps.spec import Sweep, SweepError, list_sweeps, load_sweep

__all__ = [
    "Outcome",
    "Sweep",
    "SweepError",
    "is_running",
    "list_sweeps",
    "load_sweep",
    "run_sweep",
    "status_of",
]
