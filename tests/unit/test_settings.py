"""Settings: from the environment, once, frozen; every wrong value is one sentence that names its variable."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from candela_processes import settings as configuration
from candela_processes.cli.generate.settings_example import settings_example
from candela_processes.errors import SettingsError
from candela_processes.settings import PREFIX, Settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{field.upper()}", raising=False)


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CANDELA_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("CANDELA_PARALLEL_JOBS", "7")
    monkeypatch.setenv("CANDELA_INPUT_ROOTS", f"{tmp_path}/a:{tmp_path}/b")
    monkeypatch.setenv("CANDELA_ALLOWED_HOSTS", "Example.org, data.example.org ,")
    settings = configuration.load()
    assert settings.parallel_jobs == 7
    assert settings.input_roots == (tmp_path / "a", tmp_path / "b")
    assert settings.allowed_hosts == ("example.org", "data.example.org")
    assert settings.store_url == f"sqlite:///{tmp_path}/jobs.sqlite"


def test_an_empty_variable_stands_for_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDELA_ROUND_SECONDS", "")
    assert configuration.load().round_seconds == 1.0


def test_a_database_url_replaces_the_one_of_the_workspace() -> None:
    assert configuration.load(database_url="postgresql+psycopg://db/jobs").store_url == "postgresql+psycopg://db/jobs"


def test_the_workspace_is_absolute_whatever_was_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert configuration.load(workspace=Path("jobs")).workspace == tmp_path / "jobs"


def test_settings_cannot_be_changed() -> None:
    settings = configuration.load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.title = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARALLEL_JOBS", "0"),
        ("PARALLEL_JOBS", "many"),
        ("ROUND_SECONDS", "61"),
        ("EXPIRY_DAYS", "0"),
        ("EXPIRY_DAYS", "inf"),
        ("EXPIRY_DAYS", "1000000"),
        ("FETCH_SECONDS", "nan"),
        ("STOP_GRACE_SECONDS", "inf"),
        ("LOG_FORMAT", "xml"),
        ("PUBLIC_URL", "example.org/eo"),
        ("PUBLIC_URL", "https://example.org/eo/"),
        ("MAX_INTERRUPTIONS", "-1"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"CANDELA_{name}", value)
    with pytest.raises(SettingsError) as caught:
        configuration.load()
    assert caught.value.detail.startswith(f"CANDELA_{name}: ")
    assert caught.value.detail.endswith(".")
    assert "\n" not in caught.value.detail


def test_every_wrong_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDELA_WEB_THREADS", "1")
    monkeypatch.setenv("CANDELA_WEB_WORKERS", "0")
    with pytest.raises(SettingsError) as caught:
        configuration.load()
    assert "CANDELA_WEB_THREADS: " in caught.value.detail
    assert "CANDELA_WEB_WORKERS: " in caught.value.detail


def test_a_refused_url_with_a_password_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDELA_PUBLIC_URL", "user:not-to-be-shown@example.org")
    with pytest.raises(SettingsError) as caught:
        configuration.load()
    assert "not-to-be-shown" not in caught.value.detail


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described(name: str) -> None:
    description = Settings.model_fields[name].description or ""
    assert description.endswith((".", "…"))
    unit = {"seconds": "(s", "bytes": "bytes", "days": "(days)", "memory": "(bytes)", "scratch": "(bytes)"}
    expected = unit.get(name.rpartition("_")[2])
    assert expected is None or expected in description


def test_the_example_names_every_setting_and_its_defaults_are_the_real_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line.removeprefix("#") for line in settings_example().splitlines() if line.startswith(f"#{PREFIX}")]
    given = dict(line.split("=", 1) for line in lines)
    assert list(given) == [f"{PREFIX}{field.upper()}" for field in Settings.model_fields]
    expected = configuration.load()
    for name, value in given.items():
        monkeypatch.setenv(name, value.strip('"'))
    assert configuration.load() == expected


def test_the_example_says_what_is_allowed() -> None:
    text = settings_example()
    assert "Allowed: more than 0, at most 60. Default: 1.\n#CANDELA_ROUND_SECONDS=1" in text
    assert "Allowed: DEBUG, INFO, WARNING, ERROR. Default: INFO.\n#CANDELA_LOG_LEVEL=INFO" in text


@pytest.mark.parametrize("name", ["CANDELA_PARALEL_JOBS", "CANDELA_INPUT_ROOT", "CANDELA_DATABASE_ULR"])
def test_a_misspelt_setting_is_refused_with_the_name_that_was_meant(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: there is no such setting; meant is CANDELA_"):
        configuration.refuse_misspelt([name, "PATH"])


def test_settings_and_names_like_none_of_them_pass() -> None:
    settings = [f"{PREFIX}{field.upper()}" for field in Settings.model_fields]
    others = ["CANDELA_SERVICE_HOST", "CANDELA_PORT_80_TCP", "CANDELA_SERVER", "CANDELA_TEST_POSTGRESQL_URL"]
    configuration.refuse_misspelt([*settings, *others, "CANDELA_ATTEMPT", "HOME"])
