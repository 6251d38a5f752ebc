"""Names and types of files in headers."""

import pytest

from candela_processes.jobs.directory import OutputFile
from candela_processes.ogc.files import file_headers


def headers(path: str, media_type: str) -> dict[str, str]:
    return file_headers(OutputFile(output="o", path=path, media_type=media_type, size=1, sha256="0" * 64))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("changes_1_19850101_19950101.tif", "changes_1_19850101_19950101.tif"),
        ('a"; filename=evil.exe', "a___filename_evil.exe"),
        ("folder/é.tif", "_.tif"),
    ],
)
def test_a_name_cannot_leave_its_quotes(path: str, name: str) -> None:
    assert headers(path, "image/tiff")["Content-Disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize(
    ("media_type", "disposition", "content_type"),
    [
        ("image/png", "inline", "image/png"),
        ("text/html", "attachment", "text/html; charset=utf-8"),
        ("text/csv; charset=latin-1", "inline", "text/csv; charset=latin-1"),
        ("image/svg+xml", "attachment", "image/svg+xml"),
    ],
)
def test_only_what_is_harmless_is_shown_by_browsers(media_type: str, disposition: str, content_type: str) -> None:
    found = headers("x", media_type)
    assert found["Content-Disposition"].startswith(disposition)
    assert found["Content-Type"] == content_type
