"""Every parameter of one run, typed, checked and frozen: `RunConfig`."""

from gellib.config.errors import ConfigError
from gellib.config.param import STAGES, Facts, Stage
from gellib.config.run_config import (
    FACTS,
    NAMED,
    OUTPUT_FIELDS,
    REPEAT_PARAMETERS,
    RunConfig,
    config_key,
)

__all__ = [
    "FACTS",
    "NAMED",
    "OUTPUT_FIELDS",
    "REPEAT_PARAMETERS",
    "STAGES",
    "ConfigError",
    "Facts",
    "RunConfig",
    "Stage",
    "config_key",
]
