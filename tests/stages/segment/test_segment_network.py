"""Segmenters with weights in the step: fetched by name, kept, part of the key, alone in failing."""

import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import torch
from PIL import Image
from tests.stages.segment.test_segment_hpa_unet import MEAN, ROLES, SMALL, STD
from tests.stages.site_steps import do

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import SITES
from cellwise.errors import BadOption, FormatError, InputError, UsageError
from cellwise.flow.pipeline.checks import check_steps
from cellwise.flow.pipeline.inputs import base_key
from cellwise.flow.pipeline.state import Request
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve
from cellwise.parts.pixel_nets import pixel_nets
from cellwise.stages.segment import _network, step
from cellwise.store import network_weights
from cellwise.store.network_weights import NetworkCard, write_network
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import read_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

if TYPE_CHECKING:
    from cellwise.flow.pipeline.state import State

STAINS = {"blue": "nucleus", "red": "microtubule", "yellow": "er"}


def write_weights(folder, seed=0):
    for name, planes in ROLES.items():
        torch.manual_seed(seed)
        tensors = {k: v.numpy() for k, v in pixel_nets.build(SMALL).state_dict().items()}
        facts = {"planes": planes, "mean": MEAN, "std": STD}
        card = NetworkCard(name, SMALL, tuple(dict.fromkeys(planes)), facts)
        write_network(folder / f"{name}.safetensors", tensors, card)
    return folder


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setattr(network_weights, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv("CELLWISE_MODELS", str(tmp_path / "weights"))
    _network._kept.cache_clear()
    return write_weights(tmp_path / "weights")


@pytest.fixture
def job(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    sites = []
    for number, name in enumerate("abcd"):
        files = []
        for stain, role in STAINS.items():
            grain = np.random.default_rng(number).integers(0, 255, (64, 64), np.uint8)
            Image.fromarray(grain).save(images / f"{name}_{stain}.png")
            files.append(ChannelFile(Channel(stain, role), (f"{name}_{stain}.png",)))
        sites.append(Site(name, name, tuple(files)))
    run = RunFolder(tmp_path / "run")
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    return Job(run.path, images, "segment", {"name": "hpa_unet"}, key="k", seed=0)


class Part:
    """A segmenter with `many` that says what it was given."""

    def __init__(self, *, fails=(), breaks=None):
        self.fails, self.breaks = fails, breaks
        self.asked, self.batches = [], []

    def __call__(self, field):
        self.asked.append(field.site_id)
        if field.site_id in self.fails:
            raise InputError("no", code="odd", path=field.site_id)
        return Masks(*[np.ones(field.pixels.shape[1:], np.uint16)] * 2)

    def many(self, fields):
        self.batches.append([field.site_id for field in fields])
        if self.breaks:
            raise self.breaks
        found = []
        for field in fields:
            try:
                found.append(self(field))
            except InputError as error:
                found.append(error)
        return found


def use(monkeypatch, part):
    monkeypatch.setattr(step, "network_segmenter", lambda spec, job: part)
    return part


@pytest.mark.long
def test_real_networks_segment_from_files_by_name(job, weights):
    records = do(step, replace(job, options={**job.options, "masks": ""}), "abcd")
    assert [record.site_id for record in records] == list("abcd")
    assert all(record.error is None for record in records)
    assert read_masks(RunFolder(job.run).masks, "a").cells.shape == (64, 64)


def test_fields_go_together_within_a_bound_of_memory(job, monkeypatch):
    part = use(monkeypatch, Part())
    do(step, job, "abcd")
    assert part.batches == [list("abcd")]
    monkeypatch.setattr(step, "_HELD_BYTES", 2 * 3 * 64 * 64 * 4)
    part = use(monkeypatch, Part())
    records = do(step, job, "abcd")
    assert part.batches == [["a", "b"], ["c", "d"]]
    assert all(record.counts["cells"] == 1 for record in records)


def test_a_site_that_fails_fails_alone(job, monkeypatch):
    use(monkeypatch, Part(fails=("b",)))
    (job.images / "d_red.png").write_bytes(b"")
    records = {record.site_id: record for record in do(step, job, "abcd")}
    assert records["b"].error.code == "odd"
    assert records["d"].error is not None
    assert records["a"].error is records["c"].error is None
    assert not (RunFolder(job.run).masks / "b_cells.tif").exists()


@pytest.mark.parametrize("error", [InputError("all", code="x"), MemoryError()])
def test_what_fails_together_is_tried_alone(job, monkeypatch, error):
    part = use(monkeypatch, Part(fails=("c",), breaks=error))
    records = do(step, job, "abcd")
    assert part.asked == list("abcd")
    assert [record.error is None for record in records] == [True, True, False, True]


def test_the_part_is_kept_until_weights_or_options_change(job, weights):
    first = _network.network_segmenter(job.options, job)
    assert _network.network_segmenter(job.options, job) is first
    other = {**job.options, "scale": 0.5}
    assert _network.network_segmenter(other, job) is not first
    second = _network.network_segmenter(job.options, job)
    write_weights(weights, seed=1)
    assert _network.network_segmenter(job.options, job) is not second


def test_device_and_threads_are_handed_on(job, monkeypatch):
    specs = []
    monkeypatch.setattr(_network, "_kept", lambda spec, digests: specs.append(spec))
    monkeypatch.setattr(_network, "weights_of", lambda options: {})
    monkeypatch.setattr(_network, "count_cores", lambda: 8)
    _network.network_segmenter({"name": "hpa_unet"}, replace(job, device="cuda", workers=4))
    _network.network_segmenter({"name": "hpa_unet", "device": "cpu"}, replace(job, device="cuda"))
    assert '"device": "cuda"' in specs[0]
    assert '"threads": 2' in specs[0]
    assert '"device": "cpu"' in specs[1]
    assert "threads" not in specs[1]


def test_parts_without_weights_are_left_alone():
    assert step.key_parts({"name": "watershed", "masks": ""}, "cuda") == []
    assert not _network.is_network({"name": "given"})
    assert _network.is_network({"name": "hpa_unet"})
    step.check_part({"name": "grid", "tile": 8})
    with pytest.raises(BadOption, match="tile"):
        step.check_part({"name": "grid", "tile": 0})


def test_parts_of_other_packages_are_handed_the_device_too(job, tmp_path):
    options = {"name": "cellpose", "weights": str(tmp_path / "own")}
    assert not _network.is_network(options)
    assert _network.handed(options, replace(job, device="cuda"))["device"] == "cuda"
    with pytest.raises(UsageError, match="no weights file"):
        step.key_parts(options, "cuda")
    (tmp_path / "own").write_bytes(b"1")
    first = step.key_parts(options, "cpu")
    (tmp_path / "own").write_bytes(b"22")
    assert step.key_parts(options, "cpu")[0] != first[0]
    assert first[1:] == ["cpu"]


def test_options_and_weights_are_checked_before_any_work(weights):
    step.check_part({"name": "hpa_unet"})
    with pytest.raises(BadOption, match="scale"):
        step.check_part({"name": "hpa_unet", "scale": 7})
    with pytest.raises(UsageError, match="Did you mean 'dpn_unet_cell'"):
        step.check_part({"name": "hpa_unet", "cells": "dpn_unet_cel"})
    with pytest.raises(FormatError, match=r"'dpn_unet_nuclei'.*segment\.cells names the wrong"):
        step.check_part({"name": "hpa_unet", "cells": "dpn_unet_nuclei"})
    with pytest.raises(FormatError, match=r"segment\.nuclei names the wrong"):
        step.check_part({"name": "hpa_unet", "nuclei": str(weights / "dpn_unet_cell.safetensors")})
    card = NetworkCard("other", {"name": "small_unet"}, ("nucleus",), {})
    write_network(weights / "other.safetensors", {}, card)
    with pytest.raises(FormatError, match="does not say how to show it a field"):
        step.check_part({"name": "hpa_unet", "nuclei": "other"})
    torn = weights / "dpn_unet_cell.safetensors"
    torn.write_bytes(torn.read_bytes()[:50])
    with pytest.raises(FormatError, match="damaged"):
        step.check_part({"name": "hpa_unet"})


class AnyState:
    """As much of a run's state as a key depends on."""

    def __init__(self, device="cpu"):
        self.request = type("Request", (), {"seed": 0, "device": device, "keyed_device": ""})


def recipe(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"format: 1\nsteps: [read, {{segment: {text}}}]\n")
    return resolve(load_recipe(path))


def key(tmp_path, text, device="cpu"):
    (segment,) = recipe(tmp_path, text).of_kind("segment")
    return base_key(segment, state=cast("State", AnyState(device)))


def test_other_weights_and_another_device_give_another_key(weights, tmp_path):
    network = "{name: hpa_unet}"
    first = key(tmp_path, network)
    assert key(tmp_path, network) == first
    assert key(tmp_path, network, "cuda") != first
    write_weights(weights, seed=1)
    assert key(tmp_path, network) != first
    write_weights(weights, seed=0)
    assert key(tmp_path, network) == first
    # Weights count by what they are, not by where they lie.
    assert key(tmp_path, "watershed") == key(tmp_path, "watershed", "cuda")


NETWORKS = ("hpa_unet", "small_unet", "cellpose", "instanseg")


@pytest.mark.parametrize("name", NETWORKS)
def test_what_a_recipe_leaves_open_is_said_by_the_run(name, job, tmp_path, monkeypatch):
    monkeypatch.setattr(_network, "count_cores", lambda: 8)
    (segment,) = recipe(tmp_path, name).of_kind("segment")
    on_gpu = replace(job, device="cuda", workers=4)
    spec = _network.handed(segment.options, on_gpu)
    assert spec["device"] == "cuda"
    assert spec.get("threads", 2) == 2
    assert ("threads" in spec) == (name in ("hpa_unet", "small_unet"))
    (segment,) = recipe(tmp_path, f"{{name: {name}, device: cpu}}").of_kind("segment")
    assert _network.handed(segment.options, on_gpu)["device"] == "cpu"


def test_the_key_takes_the_device_that_is_used(weights, tmp_path):
    assert key(tmp_path, "{name: hpa_unet, device: cpu}", "cuda") == key(tmp_path, "hpa_unet")
    assert key(tmp_path, "{name: hpa_unet, device: cuda}") == key(tmp_path, "hpa_unet", "cuda")
    assert key(tmp_path, "hpa_unet", "cuda") != key(tmp_path, "hpa_unet")
    # As many threads as there are: the result is the same.
    assert key(tmp_path, "{name: hpa_unet, threads: 2}") == key(tmp_path, "hpa_unet")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_device_that_is_not_there_is_refused_before_any_work(
    name, weights, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"'segment', option 'device'.*no GPU") as caught:
        check_steps(
            Request(tmp_path, tmp_path, recipe(tmp_path, f"{{name: {name}, device: cuda}}"))
        )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["hpa_unet", "small_unet"])
def test_a_device_of_no_kind_is_refused_before_any_work(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CELLWISE_MODELS", str(write_weights(tmp_path)))
    card = NetworkCard("small_unet", {"name": "small_unet"}, ("nucleus",), {})
    write_network(tmp_path / "small_unet.safetensors", {}, card)
    with pytest.raises(BadOption, match="device"):
        check_steps(Request(tmp_path, tmp_path, recipe(tmp_path, f"{{name: {name}, device: gpu}}")))


def test_the_same_weights_elsewhere_give_the_same_key(weights, tmp_path):
    here, there = weights / "dpn_unet_cell.safetensors", tmp_path / "there" / "x.safetensors"
    there.parent.mkdir()
    shutil.copy(here, there)
    by_name = key(tmp_path, "hpa_unet")
    assert key(tmp_path, f"{{name: hpa_unet, cells: '{here}'}}") == by_name
    assert key(tmp_path, f"{{name: hpa_unet, cells: '{there}'}}") == by_name
    there.write_bytes(there.read_bytes() + b" ")
    assert key(tmp_path, f"{{name: hpa_unet, cells: '{there}'}}") != by_name
    # Which of the two networks it is counts too.
    other = weights / "dpn_unet_nuclei.safetensors"
    turned = f"{{name: hpa_unet, cells: '{other}', nuclei: '{here}'}}"
    assert key(tmp_path, turned) != by_name


@pytest.mark.parametrize("name", ["cellpose", "instanseg"])
def test_a_file_that_another_package_keeps_is_part_of_the_key(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    monkeypatch.setenv("INSTANSEG_BIOIMAGEIO_PATH", str(tmp_path))
    with pytest.raises(UsageError, match="has no weights here"):
        key(tmp_path, name)
    kept = (
        tmp_path
        / {
            "cellpose": "cpsam",
            "instanseg": "fluorescence_nuclei_and_cells/instanseg.pt",
        }[name]
    )
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(b"1")
    first = key(tmp_path, name)
    assert key(tmp_path, f"{{name: {name}, weights: '{kept}'}}") == first
    (tmp_path / "copy").write_bytes(b"1")
    assert key(tmp_path, f"{{name: {name}, weights: '{tmp_path / 'copy'}'}}") == first
    kept.write_bytes(b"22")
    assert key(tmp_path, name) != first
    assert key(tmp_path, f"{{name: {name}, weights: '{kept}'}}") != first
    # A newer one that the package fetches takes its place.
    second = key(tmp_path, name)
    newer = {"cellpose": tmp_path / "cpsam_v2", "instanseg": kept.parent / "2" / "instanseg.pt"}
    newer[name].parent.mkdir(exist_ok=True)
    newer[name].write_bytes(b"333")
    assert key(tmp_path, name) != second


def test_options_that_are_words_of_other_packages_are_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "find").write_bytes(b"")
    (tmp_path / "own").write_bytes(b"1")
    options = {"name": "cellpose", "nuclei": "find", "weights": "own"}
    assert list(_network.weights_of(options)) == ["weights"]
    assert step.key_options(options) == {"name": "cellpose", "nuclei": "find"}


def test_the_check_before_a_run_leaves_torch_alone(weights):
    program = (
        "import sys; from cellwise.stages.segment import step; "
        "step.check_part({'name': 'hpa_unet'}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("options", "area", "large"),
    [
        ({"name": "small_unet"}, 2**24, 1),
        ({"name": "small_unet"}, 2**22, None),
        ({"name": "small_unet"}, 0, None),
        ({"name": "small_unet", "large": 100}, 200, 1),
        ({"name": "small_unet", "large": 300}, 200, 300),
        ({"name": "watershed"}, 2**24, None),
        ({"name": "hpa_unet"}, 2**24, None),
    ],
)
def test_a_piece_of_a_large_field_is_worked_on_as_the_field_is(options, area, large):
    assert _network.as_of_a_field(options, area).get("large") == large
