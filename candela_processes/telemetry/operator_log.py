"""The operator's log of one attempt: log lines into one file, shared by supervisor and execution."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

_LINE: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to(path: Path, level: str, keep: Callable[[logging.LogRecord], bool] | None = None) -> TextIO:
    """Append the log of the whole process to a file, never through a link, times in UTC; return the open file.

    `keep` says which lines are worth it. Raises OSError.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    sink = os.fdopen(os.open(path, flags, 0o644), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
    formatter = logging.Formatter(_LINE)
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sink)
    handler.setFormatter(formatter)
    if keep is not None:
        handler.addFilter(keep)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    return sink
