"""Run folders as the steps before `curate` leave them: fields with cells, masks, pixel facts."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pytest
import tifffile
from tests.stages.site_steps import all_of

from cellwise.domain.channels import Channel
from cellwise.domain.intensities import Scale
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import CURATION, PIXELS, SITES
from cellwise.stages.curate import step
from cellwise.stages.segment.facts import pixel_facts
from cellwise.store.images.fields import read_field
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import read_table, write_table

SIDE = 128
CHANNELS = (Channel("dna", "nucleus"), Channel("gfp", "protein"))


def draw(seed: int, *, brightest: float = 200, moved: float = 0.0) -> tuple[Any, Any]:
    """`[channel, y, x]` uint8 with sixteen cells, and their masks; protein up to `brightest`."""
    random, steps = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    y, x = np.mgrid[:SIDE, :SIDE]
    planes, labels = np.full((2, SIDE, SIDE), 6.0), np.zeros((SIDE, SIDE), np.uint16)
    for number in range(16):
        cy, cx = np.array(divmod(number, 4)) * 32 + 16 + random.uniform(-9, 9, 2)
        cy, cx = np.array([cy, cx]) + steps.uniform(-moved, moved, 2)
        radius = random.uniform(5, 9)
        away = np.hypot(y - cy, x - cx)
        labels[away < 1.4 * radius] = number + 1
        planes[0] += random.uniform(80, 180) * np.exp(-((away / radius) ** 4))
        planes[1] += random.uniform(0.2, 0.8) * brightest * np.exp(-((away / radius / 1.3) ** 4))
    planes[1] *= brightest / planes[1].max()
    noise = np.random.default_rng([seed, 2]).normal(0, 1.5, planes.shape)
    planes[0] += noise[0]
    return np.clip(planes + noise * [[[0]], [[0]]], 0, 255).astype(np.uint8), labels


@dataclass
class World:
    """A small run; `add` puts fields into it, `judged` runs the step."""

    home: Any
    layout: str = "hpa"
    negative: str | None = "Negative"
    scale: Scale = Scale(0, 255, "8-bit")  # noqa: RUF009 - frozen.
    sites: list[Site] = field(default_factory=list)

    @property
    def run(self):
        return RunFolder(self.home / "run")

    def add(self, name, planes, labels, given=("Golgi",), part="train", **metadata):
        files = []
        (self.home / "images").mkdir(exist_ok=True)
        for channel, plane in zip(CHANNELS, planes, strict=True):
            tifffile.imwrite(self.home / "images" / f"{name}_{channel.name}.tif", plane)
            files.append(ChannelFile(channel, (f"{name}_{channel.name}.tif",), scale=self.scale))
        self.sites.append(Site(name, name, tuple(files), part, given, dict(metadata)))
        write_masks(self.run.masks, name, Masks(labels, labels))

    def job(self, **options):
        return Job(self.run.path, self.home / "images", "curate", options, "key", seed=0)

    def write(self):
        heads = {
            (site.id, entry.channel.name): {"height": SIDE, "width": SIDE}
            for site in self.sites
            for entry in site.files
        }
        write_table(self.run.sites, SITES, sites_to_frame(self.sites, heads))
        classes = ["Golgi", "Cytosol", *([self.negative] if self.negative else [])]
        reading = {
            "layout": self.layout,
            "classes": {"names": classes, "negative": self.negative},
        }
        self.run.reading.write_text(json.dumps(reading))
        facts = [r for s in self.sites for r in pixel_facts(read_field(s, self.home / "images"))]
        frame = pl.DataFrame(facts, schema_overrides={"flags": pl.List(pl.String)})
        write_table(self.run.pixels, PIXELS, frame)

    def judged(self, **options):
        """Counts, and the rows of the table by site."""
        self.write()
        counts = all_of(step, self.job(**options))
        rows = read_table(self.run.curation, CURATION).to_dicts()
        return counts, {row["site_id"]: row for row in rows}


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)
