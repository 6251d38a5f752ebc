"""Laws of the repository that no linter holds: sizes, names, documents that stay true, nothing of anybody's machine."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from candela_processes import catalog
from candela_processes.cli import COMMANDS
from candela_processes.cli.generate import generated_files

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "candela_processes"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "versions" not in path.parts)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tests" / "data" / "README.md"])
LONGEST_MODULE = 300
LONGEST_FUNCTION = 40
REFUSED_NAMES = {"base", "common", "helper", "helpers", "misc", "util", "utils"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked_files() -> Iterator[Path]:
    """The files that belong to the repository, committed or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for entry in listed.stdout.split("\0"):
        path = ROOT / entry
        if entry and path.is_file():
            yield path


def table_rows(page: Path, columns: int) -> list[list[str]]:
    """The cells of the tables with that many columns, without their heads."""
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    return [row for row in rows if len(row) == columns][1:]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_is_short_and_so_are_its_functions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_no_module_is_a_dump() -> None:
    names = {part for path in [*MODULES, *(ROOT / "tests").rglob("*.py")] for part in (path.stem, path.parent.name)}
    assert not names & REFUSED_NAMES


def test_every_decision_is_linked_from_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    records = sorted(path.name for path in (ROOT / "docs" / "decisions").iterdir())
    assert [f"{number:04}" for number in range(1, len(records) + 1)] == [record[:4] for record in records]
    assert [record for record in records if f"(decisions/{record})" not in text] == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "decisions").iterdir()), ids=name)
def test_a_decision_says_context_decision_and_consequences(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.name[:4]} ")
    parts = [text.find(f"**{part}.**") for part in ("Context", "Decision", "Consequences")]
    assert -1 not in parts
    assert parts == sorted(parts)


def test_the_architecture_names_every_room_and_no_other() -> None:
    modules = {path.name for path in PACKAGE.glob("*.py")}
    packages = {f"{path.name}/" for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    page = ROOT / "docs" / "architecture.md"
    room_table = page.read_text(encoding="utf-8").split("| room | law |")[1].split("\n\n")[0]
    named = {
        found
        for line in room_table.splitlines()
        for found in re.findall(r"`([\w/.]+)`", " | ".join(line.split(" | ")[:1]))
    }
    assert named == modules | packages


def test_the_picture_of_layers_is_the_contract() -> None:
    with (ROOT / "pyproject.toml").open("rb") as source:
        contract = tomllib.load(source)["tool"]["importlinter"]["contracts"][0]
    rooms = {path.stem for path in PACKAGE.glob("*.py")} | {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    layers = [[room for room in re.findall(r"\w+", layer) if room in rooms] for layer in contract["layers"]]
    picture = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("\n```\n__main__\n")[1]
    drawn = [re.findall(r"\w+", line) for line in ["__main__", *picture.split("\n```")[0].splitlines()]]
    assert drawn == [layer for layer in layers if layer]


def test_the_glossary_is_sorted_and_has_no_term_twice() -> None:
    terms = [row[0].strip("| ") for row in table_rows(ROOT / "docs" / "glossary.md", 2)]
    assert len(terms) > 30
    assert terms == sorted(terms, key=lambda term: (term.lower().replace("_", " "), term))
    assert len(terms) == len(set(terms))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_of_a_page_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "#")):
            assert (path.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_commands_of_a_page_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`|&& )(?:[A-Z]+=\S+ )*make ([a-z-]+)", text, re.MULTILINE)) <= targets
    assert set(re.findall(r"(?:^|`|/bin/)candela ([a-z]+)\b", text, re.MULTILINE)) <= set(COMMANDS)


def test_the_two_commands_stand_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^make demo\b", text, re.MULTILINE)
    assert re.search(r"^make test\b", text, re.MULTILINE)


def test_the_lock_names_one_public_index_only() -> None:
    text = (ROOT / "uv.lock").read_text(encoding="utf-8")
    assert len(set(re.findall(r'registry = "([^"]+)"', text))) == 1
    places = [urlsplit(url) for url in re.findall(r'"(\w+://[^"]+)"', text)]
    assert places
    assert {place.scheme for place in places} == {"https"}
    assert all(place.port is None and place.username is None for place in places)
    assert len({place.hostname for place in places}) == 2  # the index and where its files lie
    assert all((place.hostname or "").endswith(".org") for place in places)


def test_every_dependency_has_its_reason() -> None:
    with (ROOT / "pyproject.toml").open("rb") as source:
        declared = tomllib.load(source)["project"]["dependencies"]
    names = [re.split(r"[^A-Za-z0-9_-]", dependency)[0] for dependency in declared]
    rows = table_rows(ROOT / "docs" / "decisions" / "0007-dependencies.md", 4)
    assert [row[0].strip("| ") for row in rows] == names == sorted(names)
    assert all(cell.strip("| ") for row in rows for cell in row)


@pytest.mark.parametrize("path", sorted(generated_files(catalog.build(catalog.BUILT_IN))), ids=str)
def test_a_generated_file_is_fresh_and_says_what_it_is(path: Path) -> None:
    expected = generated_files(catalog.build(catalog.BUILT_IN))[path]
    assert "candela generate" in "".join(expected.splitlines()[:2])
    assert (ROOT / path).read_text(encoding="utf-8") == expected, "stale: run `make generate`"


def test_no_generated_file_is_left_from_before() -> None:
    there = {
        path.relative_to(ROOT)
        for folder in ("openapi", "docs/processes")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }
    assert there <= set(generated_files(catalog.build(catalog.BUILT_IN)))


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    parts = ("work", "root", "home", "Users")
    refused = re.compile(rf"(?<![\w.>])/(?:{'|'.join(parts)})/|\.\./" + "shared")
    found = []
    for path in tracked_files():
        lines = path.read_bytes().decode("utf-8", "replace").splitlines()
        found += [f"{name(path)}:{number}" for number, line in enumerate(lines, 1) if refused.search(line)]
    assert found == []


@pytest.mark.parametrize(
    "path", [ROOT / ".ci" / script for script in ("run", "setup", "stages", "system-parts")], ids=name
)
def test_a_script_stops_at_the_first_error(path: Path) -> None:
    assert path.stat().st_mode & 0o111
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert next(line for line in lines if not line.startswith("#")) == "set -euo pipefail"
    subprocess.run(["bash", "-n", str(path)], check=True)
