"""Schemas in the dialect of OpenAPI 3.0: expected values written by hand from the specification."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from candela_processes.ogc.dialect import for_openapi, to_dialect


class Point(BaseModel):
    """Documentation of the model that no client asked for."""

    title: str
    height: float | None = None


class Everything(BaseModel):
    pair: tuple[int, int]
    mixed: tuple[int, str]
    one: Literal["only"]
    above: Annotated[float, Field(gt=0, lt=1)]
    either: int | str | None = None
    point: Point | None = None
    points: list[Point] = Field(default=[], description="Said by the field.")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pair", {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "integer"}}),
        (
            "mixed",
            {
                "type": "array",
                "minItems": 2,
                "maxItems": 2,
                "items": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
            },
        ),
        ("one", {"type": "string", "enum": ["only"]}),
        (
            "above",
            {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": True},
        ),
        ("either", {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (
            "point",
            {
                "type": "object",
                "required": ["title"],
                "properties": {"title": {"type": "string"}, "height": {"type": "number"}},
            },
        ),
    ],
)
def test_a_member_is_written_in_the_dialect(name: str, expected: dict[str, object]) -> None:
    assert to_dialect(Everything.model_json_schema())["properties"][name] == expected


def test_a_field_keeps_its_own_description() -> None:
    assert to_dialect(Everything.model_json_schema())["properties"]["points"] == {
        "type": "array",
        "default": [],
        "description": "Said by the field.",
        "items": {
            "type": "object",
            "required": ["title"],
            "properties": {"title": {"type": "string"}, "height": {"type": "number"}},
        },
    }


def test_openapi_has_formats_in_place_of_encodings() -> None:
    schema = {
        "type": "array",
        "items": {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
    }
    assert for_openapi(schema) == {"type": "array", "items": {"type": "string", "format": "byte"}}
    assert for_openapi({"type": "string", "contentEncoding": "binary"}) == {"type": "string", "format": "binary"}
