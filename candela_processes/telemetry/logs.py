"""Log lines with fields, for people or for machines."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

from candela_processes.settings import Settings

FIELDS: Final = ("job", "process_id", "phase", "attempt", "duration", "status", "reason")
_LINE: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class TextFormatter(logging.Formatter):
    """One line for people: time, level, logger, message, then `name=value` of the fields that are set."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = " ".join(f"{name}={getattr(record, name)}" for name in FIELDS if hasattr(record, name))
        return f"{super().format(record)} {fields}".rstrip()


class JsonFormatter(logging.Formatter):
    """One JSON object per line for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {"time": moment, "level": record.levelname, "logger": record.name}
        line["message"] = record.getMessage()
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def start_logging(settings: Settings) -> None:
    """Send the log of the whole process to standard error in the configured form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter(_LINE))
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    # Alembic tells at INFO every time that it looks at a schema, which each readiness check does.
    logging.getLogger("alembic").setLevel(logging.WARNING)
