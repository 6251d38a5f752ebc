"""Secrets of URLs never show."""

import pytest

from candela_processes.ogc.masking import masked, masked_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://host/a.tif", "https://host/a.tif"),
        ("https://user:pass@host:81/a.tif", "https://***@host:81/a.tif"),
        ("https://host/a?sig=abc&X-Amz-Signature=def", "https://host/a?sig=***&X-Amz-Signature=***"),
        ("https://host/a?token", "https://host/a?***"),
        ("s3://key:secret@bucket/a b", "s3://***@bucket/a b"),
        ("reading https://h/x?k=v, then https://h/y#frag", "reading https://h/x?k=*** then https://h/y#***"),
        ("https://a@b@host/x", "https://***@host/x"),
        ("no address: a=b", "no address: a=b"),
    ],
)
def test_an_address_is_masked(text: str, shown: str) -> None:
    assert masked_text(text) == shown


def test_json_is_masked_in_depth() -> None:
    value = {"images": [{"href": "https://h/a?k=v"}, 1, None], "https://u:p@h/": "x"}
    assert masked(value) == {"images": [{"href": "https://h/a?k=***"}, 1, None], "https://***@h/": "x"}
