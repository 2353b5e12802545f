"""Tiles of sites as a training of screens takes them: from the decode-once cache, and from PNG.

    python benchmarks/screen_tiles.py [--sites 48] [--rounds 5] [--json FILE]

Sites of six channels of 512 x 512 pixels are drawn by the simulator and written as PNG, as RxRx1
has them. `png`: decode the site, bring it to 0..1 in float32 at 512 pixels, cut one quadrant of 256
and take each channel's own mean and deviation away. `cache`: the same tile from the site as it was
kept after its first reading (uint8, mapped). Both give the same numbers within the rounding of
uint8, which is checked. `first`: the reading that fills the cache. CPU seconds of one thread, both
ways in turn in the same run; the files are in the page cache. Goal: 10 times.
"""

import argparse
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import torch

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.lab.synth.rxrx1.design import make_design
from cellwise.lab.synth.rxrx1.effects import make_effects
from cellwise.lab.synth.rxrx1.field import SitePlan, render_site
from cellwise.lab.synth.rxrx1.severity import severity_named
from cellwise.parts.normalise import SELF, relative
from cellwise.parts.resize import resize
from cellwise.store.images.fields import read_field
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.kept_fields import KeptFields
from cellwise.store.worlds.rxrx1_folder import SitePlace, write_planes

SIZE, TILE = 512, 256
ROLES = ("nucleus", "er", "actin", "rna", "mitochondria", "golgi")
Array = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]


def main() -> None:
    """Write sites, read tiles of them in both ways, print the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sites", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    work = Path(tempfile.mkdtemp(prefix="screen-tiles-"))
    try:
        result = measure(work, asked.sites, asked.rounds)
    finally:
        shutil.rmtree(work)
    text = json.dumps(result, indent=1)
    if asked.json:
        asked.json.write_text(text, encoding="utf-8")
    print(text)


def measure(work: Path, count: int, rounds: int) -> dict[str, object]:
    """Milliseconds per tile of each way in each round, and the ratio of the medians."""
    sites = write_sites(work / "images", count)
    decode = decoder(work / "images")
    names = [f"w{k + 1}" for k in range(len(ROLES))]
    kept = KeptFields(
        RunFolder(work / "run"), work / "images", size=SIZE, kind="uint8", channels=names,
        decode=decode,
    )  # fmt: skip
    mark = time.process_time()
    for site in sites:
        kept.read([site])
    first = 1000 * (time.process_time() - mark) / count
    rng = np.random.default_rng(0)
    spent: dict[str, list[float]] = {"png": [], "cache": []}
    apart = 0.0
    for _ in range(rounds):
        corners = rng.integers(0, 2, (count, 2)) * TILE
        mark = time.process_time()
        plain = [
            from_png(decode, site, corner) for site, corner in zip(sites, corners, strict=True)
        ]
        spent["png"].append(1000 * (time.process_time() - mark) / count)
        mark = time.process_time()
        stored = [
            from_cache(kept, site, corner) for site, corner in zip(sites, corners, strict=True)
        ]
        spent["cache"].append(1000 * (time.process_time() - mark) / count)
        apart = max(
            apart, *(float((a - b).abs().max()) for a, b in zip(plain, stored, strict=True))
        )
    middle = {way: median(values) for way, values in spent.items()}
    return {
        "sites": count,
        "cpu_ms_per_tile": {way: [round(v, 2) for v in values] for way, values in spent.items()},
        "first_ms_per_site": round(first, 2),
        "times_faster": round(middle["png"] / middle["cache"], 1),
        "largest_difference_in_deviations": apart,
        "bytes_per_site": len(ROLES) * SIZE**2,
        "machine": platform.processor() or platform.machine(),
    }


def write_sites(folder: Path, count: int) -> list[Site]:
    """Sites of different wells of one experiment, drawn and written as six PNG each."""
    effects = make_effects(make_design(0, classes=8, experiments=1), severity_named("default"))
    experiment = effects.design.experiments[0]
    wells = list(effects.design.wells(experiment))
    sites = []
    for k in range(count):
        well = wells[k % len(wells)]
        place = SitePlace("train", experiment.name, well.plate, well.name, 1 + k // len(wells))
        state = effects.of_well(experiment, well)
        plan = SitePlan(0, place.site_id, SIZE, experiment.cell_type, state.steps, state.camera)
        write_planes(folder, place, render_site(plan).pixels)
        files = [
            ChannelFile(Channel(f"w{w}", role), (str(place.plane(Path(), w)),))
            for w, role in enumerate(ROLES, 1)
        ]
        sites.append(Site(place.site_id, place.site_id, tuple(files)))
    return sites


def decoder(folder: Path) -> Callable[[Site], Array]:
    """A site to its pixels `[channel, size, size]` in 0..1, as the step `train` decodes it."""

    def decode(site: Site) -> Array:
        pixels = torch.from_numpy(read_field(site, folder).pixels)[None]
        return np.asarray(resize(pixels, SIZE, SIZE)[0].clamp(0, 1).numpy())

    return decode


def from_png(decode: Callable[[Site], Array], site: Site, corner: Numbers) -> torch.Tensor:
    """A tile of a site that is decoded for it, normalised by itself."""
    y, x = corner.tolist()
    tile = decode(site)[:, y : y + TILE, x : x + TILE]
    return relative(torch.from_numpy(tile)[None], SELF)


def from_cache(kept: KeptFields, site: Site, corner: Numbers) -> torch.Tensor:
    """The same tile from the site as it is kept."""
    return relative(torch.from_numpy(kept.read_pieces([site], corner[None], TILE)), SELF)


if __name__ == "__main__":
    main()
