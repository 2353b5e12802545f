"""Masks as GeoJSON, one file per field, as QuPath exports them.

A file holds a FeatureCollection, a Feature, or a list of Features; a Polygon or MultiPolygon, with
its holes, is one object; coordinates are pixels from the upper left corner. Where there are cells
or detections (`properties.objectType`), annotations, tiles and cores are regions and left out; a
file of annotations only is taken as hand-drawn objects. A cell's `nucleusGeometry` is its nucleus;
objects classified as `Nucleus` or `Nuclei` beside others are nuclei.

Source: RFC 7946 (GeoJSON); QuPath's export of objects (Bankhead et al., Sci Rep 7, 16878, 2017).
"""

from pathlib import Path
from typing import Any

from cellwise.store.masks.shapes import Outline, Shapes, broken, outline, read_json_file

_OBJECTS = ("cell", "detection")
_REGIONS = ("tile", "tma_core", "root")
_NUCLEI = ("nucleus", "nuclei")
# Before version 0.3 the kind stood in `id`.
_OLD = {"pathcellobject": "cell", "pathdetectionobject": "detection"} | {
    "pathannotationobject": "annotation",
    "pathtileobject": "tile",
    "pathrootobject": "root",
    "tmacoreobject": "tma_core",
}


def read_geojson(path: Path) -> tuple[Shapes, Shapes | None]:
    """Cells and nuclei of one file; nuclei are None where it tells of one kind only.

    Raises:
        InputError: `mask_file`.
    """
    features = _features(path, read_json_file(path))
    kinds = [_kind(feature) for feature in features]
    if any(kind in _OBJECTS for kind in kinds):
        wanted = [kind in _OBJECTS for kind in kinds]
    else:
        wanted = [kind not in _REGIONS for kind in kinds]
    chosen = [feature for feature, take in zip(features, wanted, strict=True) if take]
    named = [_class_name(feature) in _NUCLEI for feature in chosen]
    # All of one class: the one label image counts as cells and nuclei alike.
    apart = any(named) and not all(named)
    cells: list[Outline] = []
    nuclei: list[Outline] = []
    skipped = 0
    for number, (feature, nucleus) in enumerate(zip(chosen, named, strict=True), start=1):
        found = _outline(path, f"object {number}", feature.get("geometry"))
        if found is None:
            skipped += 1
            continue
        (nuclei if apart and nucleus else cells).append(found)
        inner = _outline(path, f"the nucleus of object {number}", _nucleus(feature))
        if inner is not None:
            nuclei.append(inner)
    return Shapes(tuple(cells), skipped=skipped), Shapes(tuple(nuclei)) if nuclei else None


def _features(path: Path, content: Any) -> list[dict[str, Any]]:
    if isinstance(content, dict) and content.get("type") == "FeatureCollection":
        content = content.get("features")
    if isinstance(content, dict) and content.get("type") in ("Polygon", "MultiPolygon"):
        content = {"type": "Feature", "geometry": content}
    listed = [content] if isinstance(content, dict) else content
    if not isinstance(listed, list) or not all(
        isinstance(entry, dict) and entry.get("type") == "Feature" for entry in listed
    ):
        raise broken(path, "it is no GeoJSON FeatureCollection and no list of Features")
    return listed


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    found = feature.get("properties")
    return found if isinstance(found, dict) else {}


def _kind(feature: dict[str, Any]) -> str:
    properties = _properties(feature)
    said = properties.get("objectType", properties.get("object_type"))
    if said is None:
        return _OLD.get(str(feature.get("id", "")).lower(), "")
    return str(said).lower()


def _class_name(feature: dict[str, Any]) -> str:
    said = _properties(feature).get("classification")
    if isinstance(said, dict):
        said = said.get("name")
    return str(said or "").strip().lower()


def _nucleus(feature: dict[str, Any]) -> Any:
    return feature.get("nucleusGeometry") or _properties(feature).get("nucleusGeometry")


def _outline(path: Path, what: str, geometry: Any) -> Outline | None:
    """The object, None for a point, a line, or nothing."""
    if not isinstance(geometry, dict) or geometry.get("type") not in ("Polygon", "MultiPolygon"):
        return None
    coordinates = geometry.get("coordinates")
    if not isinstance(coordinates, list):
        raise broken(path, f"{what} has no coordinates")
    polygons = [coordinates] if geometry["type"] == "Polygon" else coordinates
    return outline(path, what, polygons)
