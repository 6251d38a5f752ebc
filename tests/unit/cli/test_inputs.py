"""Inputs given on the command line become exactly the JSON that the declaration takes."""

import json
from pathlib import Path
from typing import Any

import pytest

from candela_processes.cli.inputs import gather, input_options
from candela_processes.errors import InvalidInput
from candela_processes.processes.change_detection import CHANGE_DETECTION
from candela_processes.processes.echo import ECHO


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (["text=5"], {"text": "5"}),
        (["text=a=b"], {"text": "a=b"}),
        (["pause=5"], {"pause": 5}),
        (["numbers=1", "numbers=2"], {"numbers": [1, 2]}),
        (["numbers=7"], {"numbers": [7]}),
        (["numbers=[1, 2]"], {"numbers": [1, 2]}),
        (["either=true"], {"either": True}),
        (["either=maybe"], {"either": "maybe"}),
        (['text="quoted"'], {"text": '"quoted"'}),
        (['record={"value": "x"}'], {"record": {"value": "x"}}),
    ],
)
def test_pairs_become_what_echo_declares(pairs: list[str], expected: dict[str, Any]) -> None:
    assert gather(ECHO, None, pairs, {}) == expected


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (["dates=1985", "dates=1995"], {"dates": ["1985", "1995"]}),
        (["images=a.tif", "images=b.tif"], {"images": ["a.tif", "b.tif"]}),
        (["threshold=otsu"], {"threshold": "otsu"}),
        (["threshold=3.5"], {"threshold": 3.5}),
        (["bands=2", "bands=3"], {"bands": [2, 3]}),
        (["bands=red"], {"bands": ["red"]}),
    ],
)
def test_pairs_become_what_change_detection_declares(pairs: list[str], expected: dict[str, Any]) -> None:
    assert gather(CHANGE_DETECTION, None, pairs, {}) == expected


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "inputs.json"
    file.write_text(json.dumps({"inputs": {"text": "file", "pause": 1}}))
    assert gather(ECHO, file, ["text=pair"], {}) == {"text": "pair", "pause": 1}
    assert gather(ECHO, file, ["text=pair"], {"text": ("option",)}) == {"text": "option", "pause": 1}


def test_a_process_that_is_not_installed_here_is_given_json() -> None:
    assert gather(None, None, ["a=1", "b=x", "c=1", "c=y"], {}) == {"a": 1, "b": "x", "c": [1, "y"]}


@pytest.mark.parametrize(("text", "problem"), [("[1]", "object"), ("{", "not JSON")])
def test_a_bad_file_is_named(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "inputs.json"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=problem) as caught:
        gather(ECHO, file, [], {})
    assert caught.value.name == "--inputs"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--inputs: the file cannot be read"):
        gather(ECHO, tmp_path / "none.json", [], {})


def test_a_pair_without_a_value_is_refused() -> None:
    with pytest.raises(InvalidInput, match="name=value"):
        gather(ECHO, None, ["text"], {})


def test_every_declared_input_has_an_option_with_a_description() -> None:
    options = input_options(CHANGE_DETECTION)
    assert {option.opts[0] for option in options} >= {"--images", "--max-iterations", "--threshold"}
    assert all(option.help for option in options)


def test_one_value_of_an_array_that_needs_two_is_an_array_still() -> None:
    """So that the error says how many are needed, not that a list is."""
    assert gather(CHANGE_DETECTION, None, ["images=a.tif"], {}) == {"images": ["a.tif"]}
