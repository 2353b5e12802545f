"""FiftyOne: documents of its own form, and masks, boxes and probabilities of the run in them."""

import base64
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image
from tests.stages.export.any_run import CLASSES, write_images, write_run

from cellwise.domain.tables import PREDICTIONS
from cellwise.stages.export import exporters
from cellwise.store.run.tables import read_table


def cells_of(height=12, width=16):
    cells = np.zeros((height, width), np.uint32)
    cells[0:6, 1:8], cells[7:12, 9:16] = 2, 70000
    nuclei = np.zeros_like(cells)
    nuclei[2:4, 3:6] = 2
    return cells, nuclei


def made(tmp_path, fields, **more):
    run = write_run(tmp_path / "run", fields, **more)
    write_images(run, fields)
    exporters.build("fiftyone")(run, tmp_path / "out")
    return run, json.loads((tmp_path / "out" / "samples.json").read_text("utf-8"))["samples"]


def drawn(sample, kind):
    """The label image that the detections of a sample make."""
    size = sample["metadata"]
    image = np.zeros((size["height"], size["width"]), np.int64)
    for found in sample[kind]["detections"]:
        text = found["mask"]["$binary"]["base64"]
        inside = np.load(io.BytesIO(zlib.decompress(base64.b64decode(text))))
        assert inside.dtype == bool
        x, y, w, h = found["bounding_box"]
        left, top = round(x * size["width"]), round(y * size["height"])
        assert inside.shape == (round(h * size["height"]), round(w * size["width"]))
        part = image[top : top + inside.shape[0], left : left + inside.shape[1]]
        part[inside] = found["index"]
    return image


def test_detections_are_the_masks(tmp_path):
    fields = {"s1": cells_of(), "s2": cells_of(30, 21), "s3": np.zeros((5, 5), np.uint16)}
    _, samples = made(tmp_path, fields)
    assert [sample["site_id"] for sample in samples] == ["s1", "s2", "s3"]
    for sample in samples[:2]:
        for kind, labels in zip(("cells", "nuclei"), fields[sample["site_id"]], strict=True):
            np.testing.assert_array_equal(drawn(sample, kind), labels)
    assert samples[2]["cells"] == {"_cls": "Detections", "detections": []}


def test_labels_and_probabilities_are_those_of_the_run(tmp_path):
    run, samples = made(tmp_path, {"s1": cells_of(), "s2": cells_of(), "s3": cells_of()})
    facts = json.loads((tmp_path / "out" / "metadata.json").read_text("utf-8"))
    assert facts["info"]["classes"] == list(CLASSES)
    assert facts["media_type"] == "image"
    found = [d for sample in samples for d in sample["cells"]["detections"]]
    rows = list(read_table(run.predictions, PREDICTIONS).iter_rows(named=True))
    named = set()
    for told, row in zip(found, rows, strict=True):
        chances = {name: row[f"Prob_{name}"] for name in CLASSES}
        assert np.array(told["probabilities"], np.float32).tolist() == [*chances.values()]
        assert set(told["labels"]) == set(row["Labels"])
        if row["Labels"]:
            best = max(row["Labels"], key=chances.get)
            assert told["label"] == best
            assert np.float32(told["confidence"]) == np.float32(chances[best])
        else:
            assert told["label"] == "(no class)"
            assert "confidence" not in told
        named.add(told["label"])
        assert told["area"] == row["area"]
    assert len(named) > 1


def test_samples_show_their_fields(tmp_path):
    _, (sample,) = made(
        tmp_path, {"s1": cells_of(40, 50)}, metadata={"Well": "A01", "Dose (µM)": "1"}
    )
    with Image.open(tmp_path / "out" / sample["filepath"]) as image:
        assert image.size == (50, 40)
        assert image.mode == "RGB"
        assert np.asarray(image).std() > 10
    assert sample["metadata"]["size_bytes"] == (tmp_path / "out" / "data" / "s1.jpg").stat().st_size
    assert sample["Metadata_Well"] == "A01"
    assert sample["Metadata_Dose___M_"] == "1"
    assert sample["pixel_size"] is None


def test_a_run_without_classes_has_cells(tmp_path):
    _, (sample,) = made(tmp_path, {"s1": cells_of()}, classes=())
    assert {found["label"] for found in sample["cells"]["detections"]} == {"cell"}
    assert "probabilities" not in sample["cells"]["detections"][0]


@pytest.mark.parametrize("top", [3])
def test_of_many_classes_the_most_probable_are_listed(tmp_path, top):
    names = tuple(f"siRNA {k}" for k in range(1108))
    run, (sample,) = made(tmp_path, {"s1": cells_of()}, classes=names, top=top)
    row = read_table(run.predictions, PREDICTIONS).row(0, named=True)
    told = sample["cells"]["detections"][0]
    assert told["top_classes"] == row["top_classes"]
    assert told["label"] == row["Labels"][0]
    assert "probabilities" not in told
