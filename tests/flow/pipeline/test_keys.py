import os

import polars as pl

from cellwise.flow.pipeline.keys import combine, digest, file_keys, frame_digest, listing_digest


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
