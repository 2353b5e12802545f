import os

import polars as pl

from cellwise.flow.pipeline.files.listed import listing_digest
from cellwise.flow.pipeline.keys import combine, digest, file_keys, frame_digest


def test_order_of_options_does_not_matter_but_values_do():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 2})


def test_a_folder_changes_with_size_time_and_names(tmp_path):
    (tmp_path / "a.png").write_text("x")
    first = listing_digest(tmp_path)
    assert listing_digest(tmp_path) == first
    os.utime(tmp_path / "a.png", ns=(1, 1))
    touched = listing_digest(tmp_path)
    (tmp_path / "b.png").write_text("x")
    assert len({first, touched, listing_digest(tmp_path)}) == 3


def test_only_the_site_whose_file_changed_gets_a_new_key():
    frame = pl.DataFrame(
        {
            "site_id": ["a", "b"],
            "channel": ["c", "c"],
            "role": [None, None],
            "paths": [["a.png"], ["b.png"]],
            "plane": [None, None],
            "colour": [False, False],
            "size": [1, 1],
            "mtime_ns": [1, 1],
        },
        schema_overrides={"role": pl.String, "plane": pl.Int32},
    )
    before = file_keys(frame)
    after = file_keys(frame.with_columns(size=pl.Series([1, 2])))
    assert before["a"] == after["a"]
    assert before["b"] != after["b"]


def test_keys_of_many_depend_on_each_and_on_order():
    assert combine(["a", "b"]) != combine(["b", "a"]) != combine(["ab"])


def test_a_frame_is_known_by_content_and_names():
    frame = pl.DataFrame({"a": [1, None]})
    assert (
        frame_digest(frame) == frame_digest(frame.clone()) != frame_digest(frame.rename({"a": "b"}))
    )


def test_keys_are_those_of_older_runs_to_the_byte(tmp_path):
    sites = pl.DataFrame(
        {
            "site_id": ["a", "a", "b", "c~2"],
            "raw_id": ["a", "a", "b", "c"],
            "part": ["train", "train", "test", "unlabelled"],
            "channel": ["dna", "gfp", "dna", "dna"],
            "role": ["nuclei", None, "nuclei", "nuclei"],
            "paths": [["p/a_1.tif"], ["p/it's.tif", 'p/"é\n.tif'], [], ["c.tif"]],
            "plane": [None, 3, None, 0],
            "colour": [False, True, None, False],
            "size": [1, 2**40, None, 0],
            "mtime_ns": [1_700_000_000_123_456_789, 1, None, -5],
            "height": [64, 64, 64, 64],
            "pixel_size": [0.1, None, 1e-7, 3.0],
            "labels": [["x", "it's"], ["x", "it's"], [], None],
            "status": ["ok"] * 4,
            "Metadata_Well": ["A01", "A01", None, "None"],
        },
        schema_overrides={"plane": pl.Int32},
    )
    assert file_keys(sites) == {
        "a": "6786efbc9136bf29dae43e3c",
        "b": "4311c27a5e53edd2e2803ad1",
        "c~2": "c4b51583aeec24334136263d",
    }
    assert frame_digest(sites) == "d78ab1625094511c30738889"
    assert frame_digest(sites.head(0)) == "c2682059b9dbce5b835a2234"
    facts = sites.select("site_id", "part", "labels", "Metadata_Well").unique().sort("site_id")
    assert frame_digest(facts) == "677b9ec1d6cd736a03fae2e6"
    assert digest("base", {"files": "é", "none": None}) == "9c708863dbceb24bbf652ea1"
    assert combine(["a", "é"]) == "3b8e79201784bc6823912088"
    for place in ("b/c.tif", "b.tif", "a/é.tif"):
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(place)
        os.utime(path, ns=(7, 1_700_000_000_123_456_789))
    assert listing_digest(tmp_path) == "1b2e9c8c90c5a7a4d359c310"
