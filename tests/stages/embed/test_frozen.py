"""Published networks that look at cells as at photographs: pooling by hand, weights of packages."""

import hashlib
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from tests.stages.train.learn_world import make_job, make_run

from cellwise.domain.channels import Channel
from cellwise.domain.tables import CELLS, EMBEDDINGS
from cellwise.errors import BadOption, PreflightError
from cellwise.parts.nets.photographs import brightened, open_network, open_photographs
from cellwise.stages.embed import embedders, step
from cellwise.stages.embed.frozen import _places
from cellwise.store.packaged_weights import PACKAGES, packaged_file
from cellwise.store.run.crops import CropStore, read_channels
from cellwise.store.run.embeddings import index_path, seal
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import empty_frame, read_table, write_table

SMALL = {"network": "test_resnet", "stages": [1], "size": 64, "threads": 1}
CHANNELS = [Channel("er", "er"), Channel("g", "protein"), Channel("r", "microtubule")]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "w.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet").state_dict(), file)
    return str(file)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("frozen"))


def embedded(run, site, **options):
    part = embedders.build({"name": "frozen", **SMALL, **options})
    job = make_job(run, step="embed")
    cells = read_table(run.cells, CELLS).sort("site_id", "cell_id")
    part.check()
    part.check_cells(job, cells)
    return part.open(job, [], cells)(site), cells, part.facts(job)


def test_stages_are_pooled_over_the_cell(run, weights):
    name = read_channels(run.crops)[0].key
    found, cells, facts = embedded(run, "s00", pretrained=weights, colours=[[name]], views=1)
    rows = np.flatnonzero((cells["site_id"] == "s00").to_numpy())
    crop = torch.from_numpy(CropStore(run.crops, cells).read(rows[:1])).float()
    inside = (crop != 0).any(1, keepdim=True).float()
    bright = brightened(crop, inside > 0)[:, :1]
    large = torch.nn.functional.interpolate(bright, (64, 64), mode="bilinear", antialias=True)
    eyes = open_photographs("test_resnet", weights, "cpu")
    colours = (large.repeat(1, 3, 1, 1) - eyes.mean) / eyes.spread
    with torch.no_grad():
        last, (middle,) = eyes.net.forward_intermediates(colours, indices=[1], norm=False)
    expected = []
    for features, is_last in ((middle, False), (last, True)):
        side = features.shape[-1]
        share = torch.nn.functional.adaptive_avg_pool2d(inside, side)[0, 0].numpy() + 1e-4
        flat, share = features[0].flatten(1).numpy(), (share / share.sum()).ravel()
        average = flat @ share
        expected.append(average)
        if not is_last:
            expected += [np.sqrt((flat - average[:, None]) ** 2 @ share), flat.max(1)]
    np.testing.assert_allclose(found.vectors[0], np.concatenate(expected), rtol=1e-3, atol=1e-4)
    assert found.numbers.tolist() == cells["cell_id"].to_list()[rows[0] : rows[-1] + 1]
    assert facts.card["sha256"] == hashlib.sha256(Path(weights).read_bytes()).hexdigest()


def test_a_cell_is_seen_alike_in_any_company_and_brightness(run, weights):
    whole, _, _ = embedded(run, "s01", pretrained=weights)
    by_one, _, _ = embedded(run, "s01", pretrained=weights, batch=1)
    np.testing.assert_allclose(whole.vectors, by_one.vectors, rtol=1e-3, atol=1e-4)
    assert np.isfinite(whole.vectors).all()
    pixels = torch.rand(2, 3, 8, 8)
    inside = torch.ones(2, 1, 8, 8, dtype=torch.bool)
    torch.testing.assert_close(brightened(pixels, inside), brightened(pixels * 0.2, inside))
    assert not brightened(pixels * 0, inside & False).any()


def test_pictures_are_made_of_the_channels_there_are():
    nucleus = Channel("b", "nucleus")
    named = [names for names, _ in _places((), [*CHANNELS, nucleus])]
    assert named == [["protein"], ["microtubule", "protein", "nucleus"]]
    assert [names for names, _ in _places((), CHANNELS)] == [["protein"]]
    assert [names for names, _ in _places((), [nucleus])] == [["nucleus"]]
    assert _places((("g", "er", "r"),), CHANNELS) == [(["protein", "er", "microtubule"], [1, 0, 2])]
    with pytest.raises(PreflightError, match="no channel 'dapi'"):
        _places((("dapi",),), CHANNELS)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=4, unique=True))
def test_any_stains_make_pictures_of_one_or_three(names):
    channels = [Channel(name) for name in names]
    for own, places in _places((), channels):
        assert len(own) in (1, 3)
        assert [channels[place].key for place in places] == own


def test_a_package_of_weights_is_mapped_by_order(tmp_path, monkeypatch):
    model = "tf_efficientnet_lite0"
    with pytest.raises(PreflightError, match="No package ships"):
        packaged_file("resnet18")
    if importlib.util.find_spec(PACKAGES[model]) is None:
        with pytest.raises(PreflightError, match=r"cellwise\[pretrained\]"):
            packaged_file(model)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        state = timm.create_model(model).state_dict()
    (tmp_path / "models").mkdir()
    renamed = {f"_{n}.{name.rpartition('.')[2]}": t for n, (name, t) in enumerate(state.items())}
    torch.save(renamed, tmp_path / "w.pth")
    digest = hashlib.sha256((tmp_path / "w.pth").read_bytes()).hexdigest()
    shipped = tmp_path / "models" / f"lite0-{digest[:8]}.pth"
    (tmp_path / "w.pth").rename(shipped)
    stand_in = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n: stand_in if n == PACKAGES[model] else real(n)
    )
    net = open_network(model, "package")
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(tensor, state[name], rtol=0, atol=0)
    assert step.key_parts({"name": "frozen"}, "cpu") == [f"timm {timm.__version__}", digest]
    first, second = list(renamed)[:2]
    renamed[first], renamed[second] = renamed[second], renamed[first]
    torch.save(renamed, tmp_path / "w.pth")
    shipped.write_bytes((tmp_path / "w.pth").read_bytes())
    with pytest.raises(PreflightError, match="damaged"):
        packaged_file(model)
    digest = hashlib.sha256(shipped.read_bytes()).hexdigest()
    shipped.rename(shipped.with_name(f"lite0-{digest[:8]}.pth"))
    with pytest.raises(PreflightError, match="timm's order"):
        open_network(model, "package")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"views": 9}, BadOption, "views 1 to 8"),
        ({"colours": [["a", "b"]]}, BadOption, "of one channel"),
        ({"colours": []}, BadOption, "of one channel"),
        ({"stages": [-1]}, BadOption, "counted from 0"),
        ({"pretrained": "no.pth"}, PreflightError, "no file of pretrained weights"),
        ({"network": "resnet18"}, PreflightError, "No package ships"),
    ],
)
def test_what_does_not_fit_is_refused_before_work(run, options, error, message):
    with pytest.raises(error, match=message):
        step.check({"name": "frozen", **options}, make_job(run, step="embed"))


def test_stages_that_a_model_has_not_are_refused(run, weights):
    with pytest.raises(BadOption, match="no stages"):
        embedded(run, "s00", pretrained=weights, stages=[17])


def test_fields_without_cells_have_no_vectors(run, weights):
    part = embedders.build({"name": "frozen", **SMALL, "pretrained": weights})
    cells = read_table(run.cells, CELLS).sort("site_id", "cell_id").filter(pl.col("cell_id") < 3)
    assert len(part.open(make_job(run, step="embed"), [], cells)("gone").vectors) == 0


def test_other_channels_than_a_finished_run_learned_from_are_refused(run, weights, tmp_path):
    keys = [channel.key for channel in read_channels(run.crops)]
    part = embedders.build({"name": "frozen", **SMALL, "pretrained": weights})
    shown = part.facts(make_job(run)).card["colours"]
    cells = read_table(run.cells, CELLS)
    for learned in (shown, [[f"{keys[0]} of another folder"], *shown[1:]]):
        fitted = RunFolder(tmp_path / str(learned == shown))
        folder = fitted.embeddings("embed")
        folder.mkdir(parents=True)
        write_table(index_path(folder), EMBEDDINGS, empty_frame(EMBEDDINGS))
        seal(folder, empty_frame(EMBEDDINGS), "float32", {"colours": learned})
        job = make_job(run, name="embed", step="embed", fitted=fitted.path)
        if learned == shown:
            part.open(job, [], cells)
            continue
        with pytest.raises(PreflightError, match=r"of another folder.*would show"):
            part.open(job, [], cells)
