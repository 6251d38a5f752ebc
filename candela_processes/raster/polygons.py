"""Polygons with a class, from GeoJSON (RFC 7946) to the pixels of a grid; no driver of GDAL reads the file."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine

from candela_processes.errors import InvalidInput
from candela_processes.raster.grid import Grid

LOGGER = logging.getLogger(__name__)

MOST_BYTES: Final = 256 * 1024**2
LONGEST_EDGE_M: Final = 1000.0
METRES_PER_DEGREE: Final = 111_320.0
MOST_VERTICES: Final = 10_000
# Only names of registers: a definition in full could make PROJ open files.
CRS_NAME: Final = re.compile(r"(urn:ogc:def:crs:)?(EPSG|OGC):[0-9A-Za-z.:]{1,40}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ClassPolygon:
    """A polygon or several as one, in the reference system of a grid, and its class."""

    value: str | int
    geometry: Any


def is_geojson(path: Path) -> bool:
    """Say whether a file seems to be JSON text: its first character but white space is a brace."""
    with path.open("rb") as file:
        return file.read(256).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def read_polygons(path: Path, name: str, class_property: str, grid: Grid) -> tuple[ClassPolygon, ...]:
    """Read the polygons of a GeoJSON FeatureCollection and bring them to the reference system of `grid`.

    Coordinates are WGS 84 longitude and latitude, or in the system that a `crs` member names. Long edges are divided
    before, so that they stay straight where they were. Raises `InvalidInput` naming the input and the feature.
    """
    document = _document(path, name)
    source = _reference_system(document, name)
    polygons = []
    for number, feature in enumerate(_features(document, path, name), 1):
        value = _class_of(feature, class_property, name, number)
        polygons.append(ClassPolygon(value, _placed(_geometry(feature, name, number), source, grid, name, number)))
    return tuple(polygons)


def burn(polygons: Sequence[ClassPolygon], grid: Grid, first_row: int, rows: int) -> NDArray[np.bool_]:
    """Return which pixels of some whole rows have their centre in one of the polygons, (rows, width)."""
    if not polygons:
        return np.zeros((rows, grid.width), np.bool_)
    burned = rasterize(
        [(polygon.geometry, 1) for polygon in polygons],
        out_shape=(rows, grid.width),
        transform=grid.transform @ Affine.translation(0, first_row),
        dtype="uint8",
    )
    return np.asarray(burned, np.bool_)


def _document(path: Path, name: str) -> dict[str, Any]:
    """Return the JSON object of the file."""
    if path.stat().st_size > MOST_BYTES:
        raise InvalidInput(name, f"{path.name} is larger than {MOST_BYTES // 1024**2} MiB; simplify the polygons.")
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(name, f"{path.name} is not valid JSON.") from error
    if not isinstance(document, dict):
        raise InvalidInput(name, f"{path.name} is not a GeoJSON object.")
    return document


def _features(document: dict[str, Any], path: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the features of a collection."""
    features = document.get("features")
    if document.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise InvalidInput(name, f"{path.name} is not a GeoJSON FeatureCollection.")
    for number, feature in enumerate(features, 1):
        if not isinstance(feature, dict):
            raise InvalidInput(name, f"feature {number} is not an object.")
        yield feature


def _reference_system(document: dict[str, Any], name: str) -> pyproj.CRS:
    """Return the reference system that an (obsolete, but written) `crs` member names, else WGS 84."""
    member = document.get("crs")
    if member is None:
        return pyproj.CRS.from_epsg(4326)
    properties = member.get("properties") if isinstance(member, dict) else None
    text = properties.get("name") if isinstance(properties, dict) else None
    if isinstance(text, str) and CRS_NAME.fullmatch(text):
        try:
            return pyproj.CRS.from_user_input(text)
        except pyproj.exceptions.CRSError:
            LOGGER.debug("unknown reference system %s", text)
    raise InvalidInput(
        name, "its crs member names no known reference system; name one as EPSG:32651, or leave it out for WGS 84."
    )


def _class_of(feature: dict[str, Any], class_property: str, name: str, number: int) -> str | int:
    """Return the class of a feature."""
    properties = feature.get("properties")
    value = properties.get(class_property) if isinstance(properties, dict) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        there = ", ".join(sorted(properties)[:20]) if isinstance(properties, dict) else ""
        raise InvalidInput(
            name, f"feature {number} has no class in the property {class_property!r}; its properties are: {there}."
        )
    return value


def _geometry(feature: dict[str, Any], name: str, number: int) -> Any:
    """Return the polygon of a feature."""
    try:
        geometry = shapely.from_geojson(json.dumps(feature.get("geometry")))
    except shapely.errors.GEOSException as error:
        raise InvalidInput(name, f"the geometry of feature {number} cannot be read.") from error
    if geometry is None or geometry.geom_type not in ("Polygon", "MultiPolygon") or geometry.is_empty:
        raise InvalidInput(name, f"feature {number} is not a polygon; allowed are Polygon and MultiPolygon.")
    return geometry


def _placed(geometry: Any, source: pyproj.CRS, grid: Grid, name: str, number: int) -> Any:
    """Return a geometry in the reference system of the grid."""
    unit = METRES_PER_DEGREE if source.is_geographic else source.axis_info[0].unit_conversion_factor
    longest = max(LONGEST_EDGE_M / unit, geometry.length / MOST_VERTICES)
    divided = shapely.force_2d(shapely.segmentize(geometry, longest))
    transformer = pyproj.Transformer.from_crs(source, grid.crs.to_wkt(), always_xy=True)
    placed = shapely.transform(divided, lambda x, y: transformer.transform(x, y), interleaved=False)
    if not np.isfinite(shapely.get_coordinates(placed)).all():
        raise InvalidInput(name, f"feature {number} cannot be brought to the reference system of the map.")
    return placed
