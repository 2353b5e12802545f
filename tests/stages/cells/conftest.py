"""A small run folder as the steps before `cells` leave it: images, sites, masks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import SITES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

CHANNELS = (Channel("dna", "nucleus"), Channel("gfp", "protein"))


def paint(seed, cells, shape=(48, 64)):
    """A field with `cells` round cells on a grid, and its masks."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels, nuclei = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
    for number in range(1, cells + 1):
        cy, cx = 8 + 16 * ((number - 1) // 4), 8 + 16 * ((number - 1) % 4)
        away = np.hypot(y - cy, x - cx)
        labels[away < 7] = number
        nuclei[away < 4] = number
    dna = np.where(nuclei > 0, 150, 10) + rng.integers(0, 20, shape)
    gfp = np.where(labels > 0, 80, 5) + rng.integers(0, 20, shape)
    return np.stack([dna, gfp]).astype(np.uint8), Masks(labels, nuclei)


@dataclass
class World:
    """The folders of the small run."""

    images: Path
    run: RunFolder
    sites: list[Site]

    @property
    def ids(self):
        return [site.id for site in self.sites]

    def job(self, key="key1", **options):
        return Job(self.run.path, self.images, "cells", options, key, seed=0)

    def write_sites(self, status=None):
        frame = sites_to_frame(self.sites, {})
        if status:
            frame = frame.with_columns(
                status=pl.col("site_id").replace_strict(status, default="ok")
            )
        write_table(self.run.sites, SITES, frame)


def make_world(folder, counts=(3, 0, 5, 12, 1)):
    world = World(folder / "images", RunFolder(folder / "run"), [])
    world.images.mkdir(parents=True)
    for number, cells in enumerate(counts):
        pixels, masks = paint(number, cells)
        site_id = f"s{number}"
        files = []
        for channel, plane in zip(CHANNELS, pixels, strict=True):
            name = f"{site_id}_{channel.name}.png"
            Image.fromarray(plane).save(world.images / name)
            files.append(ChannelFile(channel, (name,)))
        world.sites.append(Site(site_id, site_id, tuple(files)))
        write_masks(world.run.masks, site_id, masks)
    world.write_sites()
    return world


@pytest.fixture
def world(tmp_path):
    return make_world(tmp_path)
