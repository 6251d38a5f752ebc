"""The mounted pygeoapi: collections, and nothing else of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from candela_processes.errors import SettingsError
from candela_processes.ogc.collections import METHODS, Collections, effective_configuration, is_kept
from candela_processes.settings import Settings

from .conftest import ROOT, Site

# pygeoapi and what it imports warn of their own old habits when they are imported
pytestmark = pytest.mark.filterwarnings("ignore")


def test_collections_come_from_pygeoapi_with_our_addresses(site: Site) -> None:
    document = site.get("/collections").json
    assert document["collections"] == []
    assert {link["href"].startswith(f"{ROOT}/collections") for link in document["links"]} == {True}
    page = site.get("/collections?f=html")
    assert page.content_type.startswith("text/html")
    assert f"{ROOT}/static/css/default.css" in page.text
    assert "root.invalid" not in page.text
    assert site.get("/static/css/default.css").mimetype == "text/css"


@pytest.mark.parametrize(
    "path",
    ["/collections/none", "/collections/none/items", "/static/none", "/static", "/stac/none", "/collections?f=x"],
)
def test_its_errors_are_exceptions_like_ours(site: Site, path: str) -> None:
    reply = site.get(path)
    assert reply.status_code in (400, 404)
    assert reply.json["type"].startswith("urn:candela:exceptions:")
    assert reply.json["status"] == reply.status_code


def test_no_rule_leads_to_its_processes_whatever_the_method(site: Site) -> None:
    """Walks the mounted URL map too."""
    inner = site.app.extensions["collections"].application()
    rules = [rule.rule for rule in inner.url_map.iter_rules()]
    assert "/collections/<path:collection_id>/items" in rules
    assert [rule for rule in rules if not is_kept(rule)] == []
    client = inner.test_client()
    for path in ("/", "/processes", "/processes/x", "/processes/x/execution", "/jobs", "/jobs/x", "/jobs/x/results"):
        for method in METHODS:
            assert client.open(path, method=method).status_code == 404, (method, path)
    for path in ("/conformance", "/openapi", "/asyncapi", "/admin/config", "/admin/config/resources"):
        assert client.get(path).status_code == 404


def test_a_method_that_a_collection_does_not_have_is_405(site: Site) -> None:
    reply = site.client.delete("/collections")
    assert (reply.status_code, reply.json["status"]) == (405, 405)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("resources: {p: {type: process}}", "is a process"),
        ("- a list", "must be mappings"),
        ("resources: [1]", "must be mappings"),
        ("{", "cannot be read as YAML"),
    ],
)
def test_a_wrong_configuration_stops_the_start(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "pygeoapi.yml"
    path.write_text(text)
    settings = Settings(workspace=tmp_path, pygeoapi_config=path)
    with pytest.raises(SettingsError, match=says):
        Collections(settings, prepare=lambda app: None).start()


def test_a_missing_configuration_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CANDELA_PYGEOAPI_CONFIG"):
        effective_configuration(Settings(workspace=tmp_path, pygeoapi_config=tmp_path / "none.yml"))


def test_the_operators_resources_and_metadata_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "pygeoapi.yml"
    path.write_text("resources: {lakes: {type: collection}}\nmetadata: {license: {name: CC0}}\nserver: {admin: true}\n")
    effective = effective_configuration(
        Settings(workspace=tmp_path, pygeoapi_config=path, public_url="https://eo.example")
    )
    assert effective["resources"] == {"lakes": {"type": "collection"}}
    assert effective["metadata"]["license"] == {"name": "CC0"}
    assert effective["server"]["url"] == "https://eo.example"
    assert "admin" not in effective["server"]


def test_what_cannot_be_loaded_is_503(make_site: Callable[..., Site], tmp_path: Path) -> None:
    site = make_site()
    (tmp_path / "run").write_text("a file where a folder is needed")
    reply = site.get("/collections")
    assert (reply.status_code, reply.json["status"]) == (503, 503)


def test_the_shipped_example_is_a_configuration(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[3] / "config" / "pygeoapi.yml"
    assert effective_configuration(Settings(workspace=tmp_path, pygeoapi_config=shipped))["resources"] == {}
    uncommented = [line.removeprefix("# ") for line in shipped.read_text().splitlines() if line.startswith("# ")]
    example = tmp_path / "example.yml"
    example.write_text("\n".join(uncommented[uncommented.index("resources:") :]))
    resources = effective_configuration(Settings(workspace=tmp_path, pygeoapi_config=example))["resources"]
    assert resources["sites"]["providers"][0]["name"] == "GeoJSON"
