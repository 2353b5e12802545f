"""One site before it is stained: whose each pixel is, how deep it lies, what each cell is like."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.lab.synth.cells import PlacedCell, place_cells
from cellwise.lab.synth.randomness import generator
from cellwise.lab.synth.rxrx1.morphology import CellType, Steps, spread_between_cells, values

Plane = npt.NDArray[np.float32]

_FEWEST_CELLS = 1
# Fields of one well differ more in their number of cells than counting alone would give.
_UNEVEN = 0.12


@dataclass(frozen=True, slots=True)
class Style:
    """What `cells.place_cells` asks for (a `style.CellStyle`)."""

    area: float
    elongation: float
    nucleus_share: float
    crowding: float


@dataclass(frozen=True, slots=True)
class Scene:
    """Cells with their looks, in the field.

    Args:
        seed: Seed of the world.
        name: The site's id; all randomness is drawn from (seed, name, purpose).
        pixel_size: Micrometres per pixel.
        cells: Label image `[y, x]`, ids 1..n.
        nuclei: The same ids.
        placed: One entry per id.
        of_site: Value of each parameter for the whole site.
        of_cell: The same per cell `[id]`, entry 0 is the background and holds 0.
        dividing: Per id, True in mitosis.
        from_nucleus: Micrometres to the nearest nucleus, 0 inside one.
        from_edge: Micrometres to the edge of the own cell, 0 outside cells.
        in_nucleus: Micrometres to the edge of the own nucleus, 0 outside nuclei.
    """

    seed: int
    name: str
    pixel_size: float
    cells: npt.NDArray[Any]
    nuclei: npt.NDArray[Any]
    placed: tuple[PlacedCell, ...]
    of_site: dict[str, float]
    of_cell: dict[str, Plane]
    dividing: npt.NDArray[np.bool_]
    from_nucleus: Plane = field(repr=False)
    from_edge: Plane = field(repr=False)
    in_nucleus: Plane = field(repr=False)

    def rng(self, purpose: str) -> np.random.Generator:
        """The stream of one purpose."""
        return generator(self.seed, "site", self.name, purpose)

    def over_cells(self, parameter: str) -> Plane:
        """Each pixel's value of a parameter: its cell's, 0 outside cells."""
        return np.asarray(self.of_cell[parameter][self.cells], np.float32)

    def over_nuclei(self, parameter: str) -> Plane:
        """Each pixel's value of a parameter: its nucleus's, 0 outside nuclei."""
        return np.asarray(self.of_cell[parameter][self.nuclei], np.float32)

    def grain(self, purpose: str, micrometres: float) -> Plane:
        """Noise of mean 0 and standard deviation 1 with grains of about this size."""
        noise = self.rng(purpose).standard_normal(self.cells.shape, dtype=np.float32)
        sigma = max(micrometres / self.pixel_size, 0.3)
        fine = cv2.GaussianBlur(noise, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        fine -= cv2.GaussianBlur(fine, (0, 0), 2.5 * sigma, borderType=cv2.BORDER_REFLECT)
        return np.asarray(fine / max(float(fine.std()), 1e-6), np.float32)


def make_scene(
    seed: int,
    name: str,
    *,
    size: int,
    pixel_size: float,
    cell_type: CellType,
    steps: Steps,
) -> Scene:
    """Place the cells of one site and draw what each of them is like.

    Args:
        seed: Seed of the world.
        name: The site's id.
        size: Side in pixels.
        pixel_size: Micrometres per pixel.
        cell_type: What the cells are.
        steps: The looks of the well `[parameter]`, the type's own included.
    """
    of_site = {key: float(value) for key, value in values(steps).items()}
    rng = generator(seed, "site", name, "cells")
    expected = cell_type.density * (size * pixel_size) ** 2 / 1e4 * of_site["cell_count"]
    count = max(int(rng.poisson(expected * np.exp(_UNEVEN * rng.standard_normal()))), _FEWEST_CELLS)
    dividing = rng.random(20 * count + 100) < of_site["mitotic_share"]
    geometry = place_cells(
        size,
        pixel_size=pixel_size,
        style=_style(cell_type, of_site),
        count=count,
        rng=generator(seed, "site", name, "geometry"),
        mitotic=dividing.tolist(),
        phases=rng.random(len(dividing)).tolist(),
    )
    varied = steps + spread_between_cells() * rng.standard_normal(
        (len(geometry.placed), len(steps))
    )
    of_cell = {
        key: np.concatenate([[0], value]).astype(np.float32)
        for key, value in values(varied).items()
    }
    cells = geometry.cells
    nuclei = _roughened(
        geometry.nuclei,
        cells,
        reach=of_site["nucleus_roughness"] * np.sqrt(cell_type.nucleus_area / np.pi) / pixel_size,
        rng=generator(seed, "site", name, "rough"),
    )
    return Scene(
        seed,
        name,
        pixel_size,
        cells,
        nuclei,
        geometry.placed,
        of_site,
        of_cell,
        np.array([False, *(cell.mitotic for cell in geometry.placed)]),
        _distance(nuclei == 0) * np.float32(pixel_size),
        _distance(_inside(cells)) * np.float32(pixel_size),
        _distance(_inside(nuclei)) * np.float32(pixel_size),
    )


def _style(cell_type: CellType, of_site: dict[str, float]) -> Style:
    area = cell_type.area * of_site["cell_spread"]
    nucleus = cell_type.nucleus_area * of_site["nucleus_area"]
    elongation = cell_type.elongation * np.sqrt(
        of_site["nucleus_elongation"] * of_site["cell_elongation"]
    )
    return Style(
        area,
        float(max(elongation, 1.0)),
        float(min(nucleus / area, 0.75)),
        of_site["clustering"],
    )


def _roughened(
    nuclei: npt.NDArray[Any], cells: npt.NDArray[Any], *, reach: float, rng: np.random.Generator
) -> npt.NDArray[Any]:
    """Nuclei with dents and bulges of `reach` pixels; none leaves its cell or vanishes."""
    rows, columns = nuclei.shape
    pushes = []
    for _ in range(2):
        noise = rng.standard_normal((rows, columns), dtype=np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), 3.0)
        pushes.append(noise * np.float32(reach / max(float(noise.std()), 1e-6)))
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    moved = cv2.remap(
        nuclei, x + pushes[0], y + pushes[1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )
    moved[moved != cells] = 0
    lost = np.setdiff1d(np.unique(nuclei), np.unique(moved))
    if len(lost):
        moved = np.where(np.isin(nuclei, lost), nuclei, moved)
    return np.asarray(moved)


def _inside(labels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """1 where a pixel and its right and lower neighbours are of the same object."""
    same = labels > 0
    same[:-1] &= labels[:-1] == labels[1:]
    same[:, :-1] &= labels[:, :-1] == labels[:, 1:]
    return same.astype(np.uint8)


def _distance(inside: npt.NDArray[Any]) -> Plane:
    if inside.all():
        return np.full(inside.shape, max(inside.shape), np.float32)
    return np.asarray(cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
