"""The tables and images of the challenge's layout."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from cellwise.store.worlds.challenge_folders import (
    COLOURS,
    write_hpa_field,
    write_hpa_submission,
    write_hpa_train,
)
from cellwise.store.worlds.whole_folder import making_folder


def test_the_tables_are_those_of_the_challenge_sorted_by_id(tmp_path):
    write_hpa_train(tmp_path, [("b", (0, 16), "p2"), ("a", (18,), "p1")])
    assert (tmp_path / "train.csv").read_text() == "ID,Label,Sample\na,18,p1\nb,0|16,p2\n"
    write_hpa_submission(tmp_path, ["d", "c"], size=512)
    assert (tmp_path / "sample_submission.csv").read_text() == (
        "ID,ImageWidth,ImageHeight,PredictionString\n"
        "c,512,512,0 1 eNoLCAgIMAEABJkBdQ==\n"
        "d,512,512,0 1 eNoLCAgIMAEABJkBdQ==\n"
    )


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_images_come_back_as_they_were_and_the_same_bytes_each_time(tmp_path, kind):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, np.iinfo(kind).max, (4, 20, 30), endpoint=True).astype(kind)
    digests = []
    for _ in range(2):
        write_hpa_field(tmp_path, "train", "a-1", pixels)
        files = [tmp_path / "train" / f"a-1_{colour}.png" for colour in COLOURS]
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert digests[0] == digests[1]
    for plane, path in zip(pixels, files, strict=True):
        with Image.open(path) as image:
            assert np.array_equal(np.asarray(image).astype(kind), plane)


def test_a_folder_appears_whole(tmp_path):
    with making_folder(tmp_path / "world") as folder:
        (folder / "a").write_text("1")
        assert not (tmp_path / "world").exists()
    assert (tmp_path / "world" / "a").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_of_a_folder_that_failed_nothing_is_left(tmp_path):
    def fail():
        with making_folder(tmp_path / "world") as folder:
            (folder / "a").write_text("1")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []
