"""Parts that refuse their options, and networks that images are too small for: before any work."""

import re

import pytest
import torch
import yaml
from tests.plates import treated, write_labels, write_plate
from tests.worlds import wells

from cellwise.errors import BadOption
from cellwise.flow.check import check_folder
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.request import make_request
from cellwise.stages.train import _parts
from cellwise.stages.train._parts import check_parts
from cellwise.stages.train.spec import Options

TILES = {"name": "tile", "size": 64, "tile": 32}
DENSENET = {"name": "backbone", "model": "densenet121"}


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    """Four labelled wells."""
    home = tmp_path_factory.mktemp("plate")
    names = wells(4)
    write_plate(home / "images", names, nuclear=treated)
    write_labels(home / "labels.csv", names)
    return home


def recipe(home, by="tiles", **options):
    learn = {"task": TILES, "augment": [], **options}
    steps = [
        {"read": None},
        {"split": {"folds": 2}},
        {"train": {"as": "all", **learn}},
        {"score": {"model": "all", "by": by}},
    ]
    path = home / "recipe.yaml"
    path.write_text(yaml.safe_dump({"format": 1, "steps": steps}))
    return str(path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"task": {**TILES, "tile": 8}}, "'all'.*tile, which is at least 16; they are 64 and 8"),
        ({"task": {**TILES, "tile": 128}}, "multiple of tile.*they are 64 and 128"),
        ({"task": {**TILES, "tile": 24}}, "multiple of tile.*they are 64 and 24"),
        ({"net": {"name": "tiny", "width": 5}}, "'all'.*width is a multiple of 4"),
        ({"loss": {"name": "focal", "gamma": -1.0}}, "'all'.*gamma"),
        ({"augment": [{"name": "gain", "spread": -1.0}]}, "'all'.*spread"),
        ({"net": {"name": "backbone", "model": "densenet16l"}}, "'all'.*no model 'densenet16l'"),
        ({"net": DENSENET, "task": {**TILES, "tile": 16}}, r"tiles of 16 pixels.*all\.task\.tile"),
        ({"by": {"name": "tiles", "views": "spiral"}}, "spiral"),
    ],
)
def test_a_part_that_cannot_be_is_refused_before_any_work(plate, tmp_path, options, said):
    made = recipe(tmp_path, **options)
    request = make_request(
        plate / "images", tmp_path / "run", recipe=made, workers=1, device="cpu",
        labels=plate / "labels.csv",
    )  # fmt: skip
    with pytest.raises(BadOption, match=re.compile(said, re.DOTALL)):
        run_pipeline(request)
    assert not (tmp_path / "run" / "sites.parquet").exists()
    with pytest.raises(BadOption, match=re.compile(said, re.DOTALL)):
        check_folder(plate / "images", labels=plate / "labels.csv", recipe=made)


@pytest.mark.parametrize("model", ["densenet161", "tf_efficientnet_b4"])
def test_tiles_that_a_network_can_take_are_not_refused(model):
    net = {"name": "backbone", "model": model, "stem": "copy_all", "mish": True}
    check_parts("all", Options.of({"task": {**TILES, "size": 512}, "net": net}))


class _Counting(torch.nn.Module):
    """Looks at its numbers, which those without memory do not have."""

    def forward(self, pixels):
        assert float(pixels.sum()) == 0.0
        return pixels


def test_a_network_that_needs_real_numbers_is_asked_with_them():
    assert _parts._fault(lambda channels, classes: _Counting(), 16, "meta")
    assert not _parts._fault(lambda channels, classes: _Counting(), 16, "cpu")


def test_weights_and_chance_are_left_as_they_were():
    torch.manual_seed(3)
    want = torch.rand(4)
    torch.manual_seed(3)
    check_parts("all", Options.of({"task": TILES}))
    assert torch.equal(torch.rand(4), want)
