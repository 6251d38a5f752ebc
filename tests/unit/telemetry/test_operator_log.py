from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from candela_processes.telemetry.operator_log import log_to


@pytest.fixture(autouse=True)
def own_root_logger() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)


def test_lines_are_appended_and_chosen(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    with log_to(tmp_path / "log", "INFO", lambda record: "noise" not in record.getMessage()):
        logging.getLogger("room").info("seen \udcff")
        logging.getLogger("room").debug("too quiet")
        logging.getLogger("room").warning("noise")
        logging.getLogger().handlers.clear()
    first, second = (tmp_path / "log").read_text().splitlines()
    assert first == "before"
    assert second.endswith(r"INFO room: seen \udcff")


def test_never_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "log").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic"):
        log_to(tmp_path / "log", "INFO")
