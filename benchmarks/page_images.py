"""The images of the documents: fields with outlines, and parts of a report as a person sees them.

    python -m benchmarks.page_images watershed-overlaps docs/explain/images [--data DATA]
    python -m benchmarks.page_images report OUT.png --report RUN/report.html --at verdict plates

The first takes one of the names in `OUTLINES`. Green: drawn by hand or true. Red: found. Yellow:
both. Where there is no truth, nuclei are in red and cells in yellow. The second shows the report
from the sections of these names on, side by side.
"""

import argparse
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from benchmarks.segmentation_quality import build_segmenter
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field
from cellwise.lab.simulate import simulate_world
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.stages.report.drawing.lines import edges
from cellwise.store.worlds.truth import read_truth

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
DEMO = ROOT / "src/cellwise/demo/plate"
CHROMIUM = "/usr/bin/chromium"
RED, GREEN, YELLOW, BLUE = (255, 40, 60), (40, 230, 60), (255, 230, 40), (70, 110, 255)
# Side of a report in pixels, as wide as two thirds of a screen.
WIDE, TALL = 775, 600
MOST = 720
# Without the slow scrolling of the page; images are drawn when they come into view.
_SCROLL = "name => document.getElementById(name).scrollIntoView({behavior: 'instant'})"
_IS_THERE = """name => document.getElementById(name).getBoundingClientRect().top < 120
  && [...document.images].every((image) => image.complete)"""
Labels = npt.NDArray[Any]
Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shown:
    """A field to be drawn: planes by role, true cells or nuclei, and the part that is shown."""

    planes: dict[str, Pixels]
    truth: Labels | None = None
    of_nuclei: bool = False
    window: tuple[slice, slice] = (slice(None), slice(None))
    times: int = 1


def _plane(path: Path) -> Pixels:
    pixels = tifffile.imread(path) if path.suffix == ".tif" else np.asarray(Image.open(path))
    pixels = pixels[..., 0] if pixels.ndim == 3 else pixels
    return np.asarray(pixels / np.iinfo(pixels.dtype).max, np.float32)


def _annotated(data: Path, name: str) -> Shown:
    folder = data / "dsb2018_fluorescence"
    truth = np.asarray(Image.open(folder / "labels" / f"{name}.png"))
    planes = {"nucleus": _plane(folder / "images" / f"{name}.png")}
    return Shown(planes, truth, of_nuclei=True, times=2)


def _schwann(data: Path, name: str) -> Shown:
    folder = data / "nf1_cellpainting" / "images"
    roles = {"nucleus": "DAPI", "er": "GFP", "actin": "RFP"}
    return Shown({role: _plane(folder / f"{name}_{word}.tif") for role, word in roles.items()})


def _plate(well: str, *window: slice) -> Shown:
    planes = {
        "nucleus": _plane(DEMO / f"{well}_dna.tif"),
        "protein": _plane(DEMO / f"{well}_gfp.tif"),
    }
    if not window:
        return Shown(planes)
    return Shown(planes, window=(window[0], window[1]), times=2)


def _simulated(seed: int) -> Shown:
    roles = {"nucleus": "blue", "microtubule": "red", "er": "yellow"}
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world"
        simulate_world(SimulateRequest(world, "hpa", size=512, sites=4, seed=seed), _silent)
        truth = read_truth(world)
        site = truth.site_ids()[0]
        masks = truth.masks(site)
        if masks is None:
            raise ValueError(f"The world has no masks of {site}.")
        planes = {r: _plane(next(world.rglob(f"{site}_{w}.png"))) for r, w in roles.items()}
    return Shown(planes, masks.cells, window=(slice(0, 358), slice(0, 358)), times=2)


def _silent(done: int, total: int, note: str) -> None:
    """Nobody watches."""


OUTLINES: dict[str, tuple[str, Callable[[Path], list[Shown]]]] = {
    "watershed-overlaps": (
        "watershed",
        lambda data: [_annotated(data, "9ebcfaf2322932d4"), _annotated(data, "df53d0b6c2c4e45d")],
    ),
    "watershed-simulated": ("watershed", lambda data: [_simulated(8)]),
    "watershed-nf1": ("watershed", lambda data: [_schwann(data, "D6_f2")]),
    "watershed-bbbc013": (
        "watershed",
        lambda data: [_plate("A01", slice(50, 290), slice(50, 400))],
    ),
    "small-unet": ("small_unet", lambda data: [_schwann(data, "B7_f3"), _plate("A01")]),
}


def drawn(shown: Shown, segmenter: str) -> Image.Image:
    """A field with the outlines that a segmenter finds in it."""
    names = list(shown.planes)
    pixels = np.stack([shown.planes[name] for name in names])
    field = Field("shown", pixels, tuple(Channel(name, name) for name in names))
    found = build_segmenter(segmenter)(field)
    cut = (*shown.window,)
    picture = _enlarged(_colours(shown)[cut], shown.times)
    for labels, colour in _lines(shown, found.cells, found.nuclei):
        picture[edges(_enlarged(labels[cut], shown.times))] = colour
    return Image.fromarray(picture)


def _enlarged(pixels: npt.NDArray[Any], times: int) -> npt.NDArray[Any]:
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def _lines(shown: Shown, cells: Labels, nuclei: Labels) -> list[tuple[Labels, tuple[int, ...]]]:
    """Label images with the colour of their edges; what is both found and true comes last."""
    if shown.truth is None:
        return [(cells, YELLOW), (nuclei, RED)]
    found = nuclei if shown.of_nuclei else cells
    both = np.where(edges(found) & edges(shown.truth), found, 0)
    return [(shown.truth, GREEN), (found, RED), (both, YELLOW)]


def _colours(shown: Shown) -> npt.NDArray[np.uint8]:
    """Grey of all stains but that of the nucleus, which is blue; alone it is grey itself."""
    levels = {name: _stretched(plane) for name, plane in shown.planes.items()}
    nucleus = levels.pop("nucleus")
    if not levels:
        return np.repeat((255 * nucleus).astype(np.uint8)[..., None], 3, axis=2)
    grey = np.maximum.reduce(list(levels.values()))[..., None] * np.full(3, 205.0)
    blue = nucleus[..., None] * np.array(BLUE)
    mixed: npt.NDArray[np.uint8] = np.clip(np.maximum(grey, blue), 0, 255).astype(np.uint8)
    return mixed


def _stretched(plane: Pixels) -> Pixels:
    low, high = np.percentile(plane, (1, 99.7))
    level: Pixels = np.sqrt(np.clip((plane - low) / max(float(high - low), 1e-6), 0, 1))
    return level


def side_by_side(images: list[Image.Image], gap: int = 6) -> Image.Image:
    """Images in a row on white, all as high as the highest, at most `MOST` pixels."""
    tall = min(max(image.height for image in images), MOST)
    fitted = [
        i.resize((round(i.width * tall / i.height), tall), Image.Resampling.LANCZOS) for i in images
    ]
    whole = Image.new(
        "RGB", (sum(i.width for i in fitted) + gap * (len(fitted) - 1), tall), "white"
    )
    left = 0
    for image in fitted:
        whole.paste(image, (left, 0))
        left += image.width + gap
    return whole


def report(page: Path, sections: list[str]) -> Image.Image:
    """A report from these sections on, each as wide as a window, side by side."""
    from playwright.sync_api import sync_playwright

    shots = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name in sections:
            tab = browser.new_page(
                viewport={"width": WIDE, "height": TALL}, reduced_motion="reduce"
            )
            tab.goto(page.resolve().as_uri())
            tab.evaluate(_SCROLL, name)
            tab.wait_for_function(_IS_THERE, arg=name)
            shots.append(Image.open(io.BytesIO(_at_rest(tab))).convert("RGB"))
        browser.close()
    return side_by_side(shots)


def _at_rest(tab: Any) -> bytes:
    """What a tab shows once it changes no more, for at most twenty seconds."""
    before, shot = b"", tab.screenshot()
    for _ in range(20):
        before = shot
        tab.wait_for_timeout(1000)
        shot = tab.screenshot()
        if shot == before:
            break
    return bytes(shot)


def main() -> None:
    """Make one image."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("name", choices=[*OUTLINES, "report"])
    parser.add_argument("out", type=Path, help="a folder, or a file for `report`")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of public sets")
    parser.add_argument("--report", type=Path, help="report.html of a run")
    parser.add_argument("--at", nargs="+", default=["verdict"], help="sections of the report")
    told = parser.parse_args()
    if told.name == "report":
        report(told.report, told.at).quantize(256).save(told.out, optimize=True)
        return
    segmenter, fields = OUTLINES[told.name]
    images = [drawn(one, segmenter) for one in fields(told.data)]
    side_by_side(images).save(told.out / f"{told.name}.jpg", quality=88, optimize=True)


if __name__ == "__main__":
    main()
