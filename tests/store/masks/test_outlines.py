"""COCO and GeoJSON files: what is read as cell, as nucleus, and what is refused."""

import json

import numpy as np
import pytest

from cellwise.errors import InputError
from cellwise.store.masks.coco import read_coco
from cellwise.store.masks.geojson import read_geojson
from cellwise.store.masks.shapes import Outline, Runs

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
HOLE = [[1, 1], [1, 2], [2, 2], [2, 1], [1, 1]]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [*rings]}


def feature(geometry=None, kind="detection", **more):
    properties = {"objectType": kind} if kind else {}
    nucleus = {"nucleusGeometry": more.pop("nucleus")} if "nucleus" in more else {}
    if "name" in more:
        properties["classification"] = {"name": more.pop("name"), "color": [1, 2, 3]}
    return {
        "type": "Feature",
        "id": "7a0",
        "geometry": polygon(SQUARE) if geometry is None else geometry,
        "properties": properties,
        **nucleus,
        **more,
    }


def geojson(tmp_path, content):
    path = tmp_path / "a.geojson"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_geojson(path)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda features: {"type": "FeatureCollection", "features": features},
        lambda features: features,
        lambda features: features[0],
        lambda features: features[0]["geometry"],
    ],
    ids=["collection", "list", "feature", "geometry"],
)
def test_every_wrapping_of_objects_is_read(tmp_path, wrap):
    cells, nuclei = geojson(tmp_path, wrap([feature(polygon(SQUARE, HOLE))]))
    (only,) = cells.objects
    assert nuclei is None
    assert [len(rings) for rings in only.polygons] == [2]
    assert np.array_equal(only.polygons[0][1], HOLE)


def test_several_parts_are_one_object(tmp_path):
    parts = {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [SQUARE]]}
    cells, _ = geojson(tmp_path, [feature(parts)])
    assert [len(rings) for rings in cells.objects[0].polygons] == [2, 1]


def test_regions_around_cells_are_no_cells(tmp_path):
    features = [
        *(feature(kind=kind) for kind in ("annotation", "cell", "tile", "tma_core", "detection")),
    ]
    cells, _ = geojson(tmp_path, features)
    assert len(cells.objects) == 2


def test_hand_drawn_annotations_alone_are_objects(tmp_path):
    cells, _ = geojson(tmp_path, [feature(kind="annotation")] * 3 + [feature(kind="tile")])
    assert len(cells.objects) == 3


def test_objects_of_unknown_kind_are_taken_and_old_kinds_known(tmp_path):
    assert len(geojson(tmp_path, [feature(kind="")])[0].objects) == 1
    old = [feature(kind="", id="PathCellObject"), feature(kind="", id="PathAnnotationObject")]
    assert len(geojson(tmp_path, old)[0].objects) == 1


@pytest.mark.parametrize("inside", [False, True])
def test_the_nucleus_of_a_cell_is_read_where_versions_put_it(tmp_path, inside):
    entry = feature(kind="cell", nucleus=polygon(HOLE))
    if inside:
        entry["properties"]["nucleusGeometry"] = entry.pop("nucleusGeometry")
    cells, nuclei = geojson(tmp_path, [entry, feature(kind="cell")])
    assert len(cells.objects) == 2
    assert len(nuclei.objects) == 1


def test_objects_called_nuclei_beside_others_are_nuclei(tmp_path):
    named = [feature(name="Nuclei"), feature(name="Cells"), feature(name="Nuclear speckles")]
    cells, nuclei = geojson(tmp_path, named)
    assert (len(cells.objects), len(nuclei.objects)) == (2, 1)
    cells, nuclei = geojson(tmp_path, [feature(name="Nucleus")] * 2)
    assert (len(cells.objects), nuclei) == (2, None)


def test_points_and_empty_geometries_are_counted_and_left_out(tmp_path):
    point = {"type": "Point", "coordinates": [1, 2]}
    cells, _ = geojson(tmp_path, [feature(point), feature(), feature(geometry={})])
    assert (len(cells.objects), cells.skipped) == (1, 2)


def test_a_field_without_objects_is_ordinary(tmp_path):
    cells, nuclei = geojson(tmp_path, {"type": "FeatureCollection", "features": []})
    assert (cells.objects, nuclei) == ((), None)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[" * 100_000,
        "3",
        {"type": "Topology"},
        {"type": "FeatureCollection", "features": [1]},
        [feature({"type": "Polygon", "coordinates": []})],
        [feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]})],
        [feature({"type": "Polygon", "coordinates": [[["a", 0], [1, 1], [2, 0]]]})],
        [feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 1e99]]]})],
        [feature({"type": "Polygon", "coordinates": [[[0], [1], [2]]]})],
        [feature({"type": "MultiPolygon", "coordinates": [SQUARE]})],
        '[{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[1,NaN],[2,2]]]}}]',
    ],
)
def test_a_broken_geojson_file_is_named(tmp_path, content):
    with pytest.raises(InputError, match=r"a\.geojson") as caught:
        geojson(tmp_path, content)
    assert caught.value.code == "mask_file"
    assert caught.value.remedy


def annotation(segmentation, *, image=1, category=1, **more):
    return {"image_id": image, "category_id": category, "segmentation": segmentation, **more}


def coco(tmp_path, annotations, **more):
    content = {
        "images": [
            {"id": 1, "file_name": "plate/a.png", "height": 20, "width": 30},
            {"id": 0, "file_name": "b.png"},
        ],
        "categories": [{"id": 1, "name": "cell"}, {"id": 2, "name": "Nucleus"}],
        "annotations": annotations,
        **more,
    }
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(content))
    return read_coco(path)


def test_polygons_and_both_kinds_of_run_lengths_are_read(tmp_path):
    table = coco(
        tmp_path,
        [
            annotation([[0, 0, 4, 0, 4, 4], [9, 9, 12, 9, 12, 12, 9, 12]]),
            annotation({"counts": [5, 2, 593], "size": [20, 30]}),
            annotation({"counts": "52]b0", "size": [20, 30]}),
        ],
    )
    outline, plain, packed = table.shapes(1)[0].objects
    assert isinstance(outline, Outline)
    assert [len(rings) for rings in outline.polygons] == [1, 1]
    assert np.array_equal(outline.polygons[0][0], [[0, 0], [4, 0], [4, 4]])
    assert plain == Runs((5, 2, 593), (20, 30))
    assert packed == Runs(b"52]b0", (20, 30))
    assert table.shapes(1)[0].size == (20, 30)


def test_categories_tell_nuclei_from_cells(tmp_path):
    square = [[0, 0, 4, 0, 4, 4]]
    table = coco(
        tmp_path,
        [
            annotation(square),
            annotation(square, category=2),
            annotation(square, image=0, category=2),
        ],
    )
    cells, nuclei = table.shapes(1)
    assert (len(cells.objects), len(nuclei.objects)) == (1, 1)
    alone, none = table.shapes(0)
    assert (len(alone.objects), none) == (1, None)


def test_groups_of_cells_are_left_out_and_counted(tmp_path):
    crowd = annotation({"counts": [0, 600], "size": [20, 30]}, iscrowd=1)
    cells, _ = coco(tmp_path, [crowd, annotation([[0, 0, 4, 0, 4, 4]])]).shapes(1)
    assert (len(cells.objects), cells.skipped) == (1, 1)


@pytest.mark.parametrize("name", ["plate/a.png", "a.png", "plate/a", "a"])
def test_images_are_found_by_name_with_and_without_folder_and_ending(tmp_path, name):
    assert coco(tmp_path, []).find(["other", name]) == 1


def test_a_number_of_zero_is_an_image_too(tmp_path):
    assert coco(tmp_path, []).find(["b"]) == 0
    assert coco(tmp_path, []).shapes(0)[0].objects == ()


def test_a_name_that_two_images_share_finds_neither(tmp_path):
    images = [{"id": 1, "file_name": "p/a.png"}, {"id": 2, "file_name": "q/a.png"}] * 2
    table = coco(tmp_path, [], images=images)
    assert table.find(["a.png"]) is None
    assert table.find(["q/a.png"]) == 2


def test_json_of_another_kind_is_no_coco_file(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"images": 3}')
    assert read_coco(path) is None


def test_a_changed_file_is_read_again(tmp_path):
    assert coco(tmp_path, []).shapes(1)[0].objects == ()
    assert len(coco(tmp_path, [annotation([[0, 0, 4, 0, 4, 4]])]).shapes(1)[0].objects) == 1


@pytest.mark.parametrize(
    "segmentation",
    [
        None,
        [],
        [[0, 0, 1]],
        [[0, 0, 1, 1]],
        [[0, 0, 1, 1, None, 2]],
        [3],
        {},
        {"counts": [1, 2]},
        {"counts": [1, -2], "size": [20, 30]},
        {"counts": 3, "size": [20, 30]},
        {"counts": "é", "size": [20, 30]},
        {"counts": [600], "size": [20, 0]},
    ],
)
def test_a_broken_segmentation_is_named(tmp_path, segmentation):
    table = coco(tmp_path, [annotation(segmentation, id=77)])
    with pytest.raises(InputError, match="annotation 77") as caught:
        table.shapes(1)
    assert caught.value.code == "mask_file"


@pytest.mark.parametrize(
    "more",
    [
        {"images": 3},
        {"images": [{"id": 1}]},
        {"images": [{"id": [1], "file_name": "a"}]},
        {"annotations": [7]},
        {"categories": {"a": 1}},
    ],
)
def test_a_broken_coco_file_is_named(tmp_path, more):
    with pytest.raises(InputError, match=r"coco\.json") as caught:
        coco(tmp_path, **{"annotations": [], **more})
    assert caught.value.code == "mask_file"


@pytest.mark.parametrize("name", ["", ".", "/", "\\"])
def test_an_image_without_a_name_matches_nothing(tmp_path, name):
    images = [{"id": 1, "file_name": name}, {"id": 2, "file_name": "b.png"}]
    table = coco(tmp_path, [annotation([[0, 0, 4, 0, 4, 4]], image=2)], images=images)
    assert table.find([name, "", "."]) is None
    assert table.find(["b"]) == 2
    assert len(table.shapes(2)[0].objects) == 1


@pytest.mark.parametrize("homeless", [{}, {"image_id": None}, {"image_id": [1]}])
def test_annotations_of_no_image_are_left_out_and_counted_once(tmp_path, homeless):
    square = [[0, 0, 4, 0, 4, 4]]
    known = [annotation(square), annotation(square, image=0)]
    table = coco(tmp_path, [*known, {"category_id": 1, "segmentation": square, **homeless}])
    assert [len(table.shapes(image)[0].objects) for image in (1, 0)] == [1, 1]
    assert [table.shapes(image)[0].skipped for image in (1, 0)] == [1, 0]


def test_a_category_that_is_no_number_concerns_its_image_only(tmp_path):
    square = [[0, 0, 4, 0, 4, 4]]
    table = coco(tmp_path, [annotation(square, category={}, id=5), annotation(square, image=0)])
    with pytest.raises(InputError, match="annotation 5") as caught:
        table.shapes(1)
    assert caught.value.code == "mask_file"
    assert len(table.shapes(0)[0].objects) == 1
