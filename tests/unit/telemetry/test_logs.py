"""Log lines: fields of a job beside the message, for people or for machines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from candela_processes import settings as configuration
from candela_processes.telemetry.logs import JsonFormatter, TextFormatter, start_logging


@pytest.fixture
def _root_logger_kept() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers, root.level = handlers, level


def record(message: str = "accepted %s", *arguments: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("candela.jobs", logging.INFO, "x.py", 1, message, arguments or ("it",), None)
    for name, value in fields.items():
        setattr(made, name, value)
    made.created = 1_000_000_000.25
    return made


def test_a_json_line_has_the_fields_that_are_set_and_no_others() -> None:
    line = json.loads(JsonFormatter().format(record(job="a1", attempt=2, secret="hidden")))
    assert line == {
        "time": "2001-09-09T01:46:40.250+00:00",
        "level": "INFO",
        "logger": "candela.jobs",
        "message": "accepted it",
        "job": "a1",
        "attempt": 2,
    }


def test_a_message_with_line_ends_stays_one_json_line() -> None:
    text = JsonFormatter().format(record("a\nb%s", "c"))
    assert "\n" not in text
    assert json.loads(text)["message"] == "a\nbc"


def test_an_exception_goes_into_the_json_line() -> None:
    made = record()
    try:
        raise ValueError("boom")
    except ValueError:
        made.exc_info = sys.exc_info()
    assert "ValueError: boom" in json.loads(JsonFormatter().format(made))["exception"]


def test_a_text_line_ends_with_the_fields() -> None:
    text = TextFormatter("%(levelname)s %(message)s").format(record(job="a1", phase="running"))
    assert text == "INFO accepted it job=a1 phase=running"


@pytest.mark.usefixtures("_root_logger_kept")
def test_the_settings_choose_form_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    before = datetime.now(UTC)
    start_logging(configuration.load(log_format="json", log_level="WARNING"))
    logging.getLogger("candela.x").info("quiet")
    logging.getLogger("candela.x").warning("loud", extra={"job": "a1"})
    written = capsys.readouterr()
    line = json.loads(written.err)
    assert written.out == ""
    assert (line["message"], line["job"], line["level"]) == ("loud", "a1", "WARNING")
    assert datetime.fromisoformat(line["time"]).replace(microsecond=0) >= before.replace(microsecond=0)
