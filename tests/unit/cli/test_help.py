"""What `candela --help` shows on a narrow terminal."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from candela_processes.cli import COMMANDS, candela


@pytest.mark.parametrize("group", [[], ["run"], ["jobs"], ["db"]])
def test_no_summary_of_a_command_is_cut(group: list[str]) -> None:
    shown = CliRunner().invoke(candela, [*group, "--help"], terminal_width=80)
    assert shown.exit_code == 0
    _, commands = shown.output.split("Commands:")
    assert "..." not in commands


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    shown = CliRunner().invoke(candela, [command, "--help"])
    assert shown.exit_code == 0
    assert shown.output.startswith(f"Usage: candela {command}")
