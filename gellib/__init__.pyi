from .api import Check as Check
from .api import Model as Model
from .api import SweepResult as SweepResult
from .api import check as check
from .api import load as load
from .api import open_sweep as open_sweep
from .api import sweep as sweep
from .config import ConfigError as ConfigError
from .config import RunConfig as RunConfig
from .runs import RunFolder as RunFolder
from .runs import SweepFolder as SweepFolder

__version__: str
