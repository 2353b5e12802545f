"""Every component of ours keeps the contract of its kind, as strangers' components must."""

import importlib
import importlib.util
from typing import Any

import numpy as np
from tests.stages.read.read_folders import put, put_channels, put_colours, put_table

from cellwise import testing
from cellwise.app.cli.parts import SHELVES
from cellwise.parts.nets import backbone
from cellwise.registry import Registry, split_spec
from cellwise.stages.read.layouts import hpa_512, hpa_public, multichannel, pattern
from cellwise.stages.segment import given, small_unet
from cellwise.store.masks.brought import Brought
from cellwise.store.network_weights import find_network, read_network

GUID = "0F7A6B5C-1D2E-4F30-8A9B-0C1D2E3F4A5B"
HPA = ("blue", "green", "red", "yellow")
# Options for parts that need some, or that show another side of them.
MORE: dict[str, list[Any]] = {
    "loss": [
        {"name": "weighted_sum", "of": ["bce", "focal"]},
        {"name": "softmax", "none": False},
        {"name": "nu_auc", "symmetric": False},
        {"name": "bce", "smooth": 0.1},
    ],
    "splitter": [{"name": "held_out", "groups": ["A-2", "B-03"]}],
    "augmentation": [{"name": "gain", "chance": 0.5}],
    "learner": [
        {"name": "kernel_ridge", "exact": 0, "landmarks": 50},
        {"name": "kernel_ridge", "members": 3, "metric": True},
    ],
    "labeller": [
        {"name": "soft", "exclusive": True},
        {"name": "inherit", "border": 0.5, "tiny": 0.0},
    ],
    "scorer": [
        {"name": "cam", "views": "dihedral", "scales": [1.0, 1.5], "robust": True},
        {"name": "masked_view", "place": "centre", "canvas": 20},
        {"name": "shared_trunk", "zoom": 2.0, "doubtful": 0.5},
    ],
    "adjustment": [{"name": "field_score", "how": how} for how in ("mean", "geometric")],
}


def specs(shelf, *, without=()):
    registry = Registry(shelf, SHELVES.get(shelf, "cellwise.parts.batches"))
    plain = [
        n for n in registry.part_names() if not any(o.required for o in registry.page(n).options)
    ]
    return [*(name for name in plain if name not in without), *MORE.get(shelf, [])], registry


def each(shelf, check, **kinds):
    found, registry = specs(shelf, **kinds)
    for spec in found:
        name, options = split_spec(spec)
        check(importlib.import_module(f"{registry.package}.{name}").build, **options)
    assert found


def test_losses():
    each("loss", testing.check_loss)


def test_augmentations():
    each("augmentation", testing.check_augmentation)


def test_samplers():
    each("batch sampler", testing.check_sampler)


def test_schedules():
    each("schedule", testing.check_schedule)


def test_optimisers():
    each("optimiser", testing.check_optimiser)


def test_tasks():
    each("task", testing.check_task)


def test_nets():
    each("net", testing.check_net, without=["backbone"])
    testing.check_net(backbone.build, model="resnet18")


def test_learners():
    lacking = [] if importlib.util.find_spec("lightgbm") else ["boosting"]
    each("learner", testing.check_learner, without=lacking)


def test_scorers():
    each("scorer", testing.check_scorer)


def test_labellers():
    each("labeller", testing.check_labeller)


def test_deciders():
    each("calibration", testing.check_decider)


def test_adjusters():
    each("adjustment", testing.check_adjuster)


def test_splitters():
    each("splitter", testing.check_splitter)


def test_exporters():
    each("export", testing.check_exporter)


def test_segmenters():
    """Those of other packages are tried with stand-ins in their own tests."""
    apart = ["cellpose", "instanseg", "hpa_unet", "given", "small_unet"]
    each("segmenter", testing.check_segmenter, without=apart)

    def read(name):
        return read_network(find_network(name))

    testing.check_segmenter(small_unet.build, read=read, threads=1)


def test_imported_masks():
    """The user brings masks of one field; the others are refused, each for itself."""
    labels = np.zeros((96, 128), np.uint16)
    labels[4:30, 4:30], labels[40:60, 50:90] = 3, 8

    def load(site_id):
        return Brought(labels) if site_id == "discs" else None

    # Rectangles of nobody's cells: they are taken as they are.
    testing.check_segmenter(given.build, load=load, implausible="take")


LAYOUTS = {
    "well_channel": ["images/A01_dna.png", "images/A01_gfp.png"],
    "named_channels": ["x-dapi.png", "x-actin.png", "liver 7-dapi.png", "liver 7-actin.png"],
    "hpa": [f"train/{i}_{c}.png" for i in ("aa", "bb") for c in HPA],
    "rxrx1": [f"images/HUVEC-1/Plate2/M23_s2_w{c}.png" for c in range(1, 7)],
    "phenix": [f"Images/r16c24f03p0{z}-ch{c}sk1fk1fl1.tiff" for z in (1, 2) for c in (1, 2)],
    "imagexpress": [f"Week1_B02_s{s}_w{c}{GUID}.tif" for s in (1, 2) for c in (1, 2)],
    "incell": [f"A - 01(fld 2 wv {c}).tif" for c in ("Blue - DAPI", "Red - Cy5")],
    "cv7000": [f"B_A01_T0001F00{s}L01A0{c}Z01C0{c}.tif" for s in (1, 2) for c in (1, 2)],
    "micromanager": [
        f"Pos{f}/img_00000000{t}_DAPI_00{z}.tif" for f in (0, 1) for t in (0, 1) for z in (0, 1)
    ],
    "class_folders": ["Golgi/a.tif", "Golgi/b.tif", "Nuclei/a.tif"],
    "single_channel": ["plate1/a.tif", "plate2/b.tif"],
}


def test_layouts(tmp_path):
    registry = Registry("layout", SHELVES["layout"])
    for name, files in LAYOUTS.items():
        folder = put(tmp_path / name, *files)
        if name == "hpa":
            put_table(folder / "train.csv", ("ID", "Label"), ("aa", "8"), ("bb", "18"))
        if name == "rxrx1":
            put_table(folder / "metadata.csv", ("site_id", "sirna"), ("HUVEC-1_2_M23_2", "s1"))
        build = importlib.import_module(f"{registry.package}.{name}").build
        testing.check_layout(build, folder)
    put_colours(tmp_path / "public" / "30741", *(f"800_A6_1_{c}.jpg" for c in HPA))
    put_channels(tmp_path / "many", "A01_s1.ome.tif", "A01_s2.ome.tif", metadata={"axes": "CYX"})
    prepared = put(tmp_path / "prepared", "train/aa.png", "test/bb.png", size=(24, 24, 4))
    put_table(prepared / "train_all.csv", ("ID", "Label", "is_ext"), ("aa", "8", "1"))
    testing.check_layout(hpa_512.build, prepared)
    testing.check_layout(hpa_public.build, tmp_path / "public")
    testing.check_layout(multichannel.build, tmp_path / "many")
    testing.check_layout(pattern.build, tmp_path / "named_channels", pattern="{site}-{channel}")
    left = {*LAYOUTS, "hpa_512", "hpa_public", "multichannel", "pattern"} ^ set(
        registry.part_names()
    )
    assert not left
