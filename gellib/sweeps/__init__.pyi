from .driver import Outcome as Outcome
from .driver import run_sweep as run_sweep
from .plan import is_running as is_running
from .plan import status_of as status_of
from .spec import Sweep as Sweep
from .spec import list_sweeps as list_sweeps
from .spec import load_sweep as load_sweep
from .sweep_file import SweepError as SweepError
