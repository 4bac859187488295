"""What the terminal of `gellib app` shows: the address, visitors, and what is wrong."""

from __future__ import annotations

import logging
import re
from typing import Any

# Said of each page, and nothing is to be done about it.
_NOISE = re.compile(r"is not trusted$|websocket_ping_timeout")
_ADDRESS = "running at"


class WorthSaying(logging.Filter):
    """Lets the address through, and warnings that somebody can do something about."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is shown."""
        text = record.getMessage()
        if record.levelno < logging.WARNING:
            return _ADDRESS in text
        return not _NOISE.search(text)


def log_settings() -> dict[str, Any]:
    """Return the settings of a server's log, as `logging.config` takes them."""
    return {
        "filters": {"worth_saying": {"()": f"{__name__}.{WorthSaying.__name__}"}},
        "handlers": {"console": {"filters": ["worth_saying"]}},
        "loggers": {"tornado.general": {"handlers": ["console"], "propagate": False}},
    }
