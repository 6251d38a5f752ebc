"""Inputs are checked against the declaration before a record exists, and every error names the input."""

from typing import Any

import pytest

from candela_processes.errors import InvalidInput
from candela_processes.process import Reference
from candela_processes.processes.change_detection import CHANGE_DETECTION
from candela_processes.processes.echo import ECHO
from candela_processes.service.service import check_outputs
from candela_processes.service.submission import OutputRequest, Submission, check_inputs, requested_outputs


@pytest.mark.parametrize(
    ("inputs", "name", "problem"),
    [
        ({}, "text", "required"),
        ({"text": 5}, "text", "string"),
        ({"text": "x", "pause": None}, "pause", "null"),
        ({"text": "x", "txt": "y"}, "txt", "not an input of echo; it has text, record, area"),
        ({"text": "x", "pause": 11}, "pause", "less than or equal to 10"),
        ({"text": "x", "pause": "5"}, "pause", "number"),
        ({"text": "x", "numbers": [1, "2"]}, "numbers/1", "integer"),
        ({"text": "x", "area": {"bbox": [1, 2, 3]}}, "area/bbox", "at least 4"),
        ({"text": "x", "image": {"type": "wrong/type"}}, "image", "string"),
    ],
)
def test_a_wrong_input_is_named(inputs: dict[str, Any], name: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem) as caught:
        check_inputs(ECHO, inputs)
    assert caught.value.name == name


def test_a_list_is_not_called_too_short_for_its_wrong_entries() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_inputs(CHANGE_DETECTION, {"images": [{"value": "a.tif"}, "b.tif"]})
    assert caught.value.detail == "images/0/href: is required; images/0/value: is not a member of this object"
    with pytest.raises(InvalidInput, match="at least 2"):
        check_inputs(CHANGE_DETECTION, {"images": ["b.tif"]})


@pytest.mark.parametrize(
    ("inputs", "name", "problem"),
    [
        ({"threshold": "foo"}, "threshold", "'chi2' or Input should be a valid number"),
        ({"bands": [1, 0]}, "bands/1", "greater than or equal to 1 or Input should be a valid string"),
        ({"images": ["a.tif", {"hrf": "x"}]}, "images/1/href", "is required; images/1/hrf: is not a member"),
        ({"images": ["a.tif", 7]}, "images/1", "a string or a link object with href"),
        ({"images": "a.tif"}, "images", "array"),
        ({"images": ["a.tif"]}, "images", "Array should have at least 2 items"),
    ],
)
def test_a_place_is_named_by_the_input_alone(inputs: dict[str, Any], name: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem) as caught:
        check_inputs(CHANGE_DETECTION, {"images": ["a.tif", "b.tif"]} | inputs)
    assert caught.value.name == name


def test_every_wrong_input_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_inputs(ECHO, {"text": 1, "pause": 99})
    assert "text" in caught.value.detail
    assert "pause" in caught.value.detail


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"text": {"value": "x"}}, {"text": "x"}),
        ({"text": {"value": "x", "mediaType": "text/plain"}}, {"text": "x"}),
        ({"text": "x", "record": {"value": "y"}}, {"text": "x", "record": {"value": "y"}}),
        ({"text": "x", "record": {"value": {"value": "y"}}}, {"text": "x", "record": {"value": "y"}}),
        ({"text": "x", "pause": {"value": 2}}, {"text": "x", "pause": 2}),
    ],
)
def test_qualified_values_are_unwrapped_unless_they_are_the_value(given: dict[str, Any], taken: dict[str, Any]) -> None:
    assert check_inputs(ECHO, given).values == taken


def test_a_qualified_value_of_another_media_type_is_refused() -> None:
    image = {"value": "aGVsbG8=", "mediaType": "image/png"}
    with pytest.raises(InvalidInput, match="image/tiff; application=geotiff"):
        check_inputs(ECHO, {"text": "x", "image": image})
    right = image | {"mediaType": "image/tiff; application=geotiff"}
    assert check_inputs(ECHO, {"text": "x", "image": right}).values["image"] == "aGVsbG8="


def test_a_link_in_place_of_a_value_is_deferred_to_the_worker() -> None:
    checked = check_inputs(ECHO, {"text": {"href": "https://example.org/a.txt"}, "pause": 1})
    assert checked.values == {"pause": 1}
    assert checked.deferred == {"text": Reference(href="https://example.org/a.txt")}


def test_other_inputs_are_checked_although_one_is_deferred() -> None:
    with pytest.raises(InvalidInput, match="pause"):
        check_inputs(ECHO, {"text": {"href": "https://example.org/a.txt"}, "pause": 99})


def test_references_are_found_with_their_places() -> None:
    images = ["a.tif", {"href": "https://example.org/b.tif", "type": "image/tiff"}]
    checked = check_inputs(CHANGE_DETECTION, {"images": images})
    assert [(path, reference.href) for path, reference in checked.references] == [
        ("images/0", "a.tif"),
        ("images/1", "https://example.org/b.tif"),
    ]
    assert not checked.deferred


def test_one_link_is_not_taken_for_the_content_of_a_list_of_images() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_inputs(CHANGE_DETECTION, {"images": {"href": "https://example.org/b.tif"}})
    assert caught.value.name.startswith("images")


def test_the_wished_answer_survives_the_record() -> None:
    wanted = {"text": OutputRequest(transmission="reference", media_type="text/plain")}
    submission = Submission(process_id="echo", inputs={}, outputs=wanted, response="document")
    assert requested_outputs(submission.as_request()) == wanted
    assert requested_outputs(Submission(process_id="echo", inputs={}).as_request()) is None


@pytest.mark.parametrize(
    ("wished", "offered"),
    [
        ("image/tiff", True),
        ("image/tiff; application=geotiff", True),
        ("Image/TIFF;application=geotiff", True),
        ("image/tiff; profile=cloud-optimized; application=geotiff", True),
        ("image/tiff; application=other", False),
        ("image/png", False),
        ("image", False),
    ],
)
def test_a_media_type_is_met_by_a_kind_of_it(wished: str, offered: bool) -> None:
    outputs = {"changes": OutputRequest(media_type=wished)}
    submission = Submission(process_id="ChangeDetection", inputs={}, outputs=outputs)
    if offered:
        check_outputs(CHANGE_DETECTION, submission)
    else:
        with pytest.raises(InvalidInput, match="cloud-optimized"):
            check_outputs(CHANGE_DETECTION, submission)
