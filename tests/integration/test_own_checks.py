"""Our own checks of OGC API - Processes 1.0 against a real server: gunicorn, SQLite, dispatcher, local workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .own_checks import CHECKS, run_checks
from .web import serving

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[str, str]]]:
    with serving(tmp_path_factory.mktemp("own-checks")) as web:
        yield run_checks(web.url)


@pytest.mark.parametrize("name", [name for name, _ in CHECKS])
def test_the_server_passes(verdicts: dict[str, tuple[str, str]], name: str) -> None:
    assert verdicts[name] == ("passed", "")


def test_none_is_left_out(verdicts: dict[str, tuple[str, str]]) -> None:
    assert len(verdicts) == len(CHECKS) == 39
