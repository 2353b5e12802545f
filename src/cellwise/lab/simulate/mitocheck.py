"""World `mitocheck`: real cells with a known phenotype, put together to fields with labels.

Nothing is simulated but who shares a field. Variant `bags`: 3 x 3 cells of 3 to 5 phenotypes, each
cell in at most one field, other fields for every seed. Variant `wells`: all cells of a real well,
the same for every seed. Fields are of four folds of plates (`Metadata_Fold`): no plate is in two.
There is no test part; judge out of fold. `--part` takes the plates for choosing methods
(`development`) or those for figures (`sealed`): a plate is in one of the two, by its name alone,
whatever the seed.

Source: the MitoCheck cells and their weak bags; see the licence beside them in `demo/mitocheck`.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.steps import Report
from cellwise.errors import UsageError
from cellwise.lab.simulate.request import SimulateRequest
from cellwise.lab.synth.bags import mixed_bags, place_bags
from cellwise.lab.synth.mosaic import columns_for, mosaic, mosaic_masks
from cellwise.registry import did_you_mean
from cellwise.store.worlds.mitocheck_folder import (
    SIDE,
    KnownCells,
    read_known_cells,
    write_known_field,
    write_known_labels,
)
from cellwise.store.worlds.truth import (
    write_truth_cells,
    write_truth_masks,
    write_truth_sites,
    write_world,
)

# Settings this world uses; any other one that is given is refused.
DEFAULTS: dict[str, Any] = {"variant": "bags", "part": None}
VARIANTS = ("bags", "wells")
PARTS = ("development", "sealed")
SEVERITY = "single"
BAG = 9

# Classes with less are reported apart: their figures would be those of a few images.
_LEAST_CELLS, _LEAST_PLATES = 20, 3


def simulate(request: SimulateRequest, report: Report) -> dict[str, int]:
    """Write the world into `request.out`; returns counts.

    Raises:
        UsageError: An unknown variant.
    """
    variant = check(request)
    cells = _of_part(read_known_cells(), request.part)
    bags = _bags(cells, variant, request.seed)
    fields = pl.DataFrame([_field(cells, bag, k, variant) for k, bag in enumerate(bags)])
    for done, (name, bag) in enumerate(zip(fields["site_id"], bags, strict=True)):
        report(done, len(bags), "fields")
        tiles, columns = cells.pixels[bag], columns_for(len(bag))
        write_known_field(request.out, name, mosaic(tiles, columns))
        write_truth_masks(request.out / "truth", name, mosaic_masks(tiles, columns))
    write_known_labels(request.out, fields)
    truth = _cell_rows(cells, fields["site_id"].to_list(), bags)
    _write_truth(request, variant, truth, fields)
    return {"fields": len(fields), "cells": len(truth), "unused": len(cells) - len(truth)}


def check(request: SimulateRequest) -> str:
    """The variant of a resolved request, if there is such a one.

    Raises:
        UsageError: An unknown variant.
    """
    variant: str = request.variant or DEFAULTS["variant"]
    if variant not in VARIANTS:
        raise UsageError(
            f"--variant of world mitocheck is {' or '.join(VARIANTS)}, not {variant!r}."
            f"{did_you_mean(variant, list(VARIANTS))}"
        )
    if request.part is not None and request.part not in PARTS:
        raise UsageError(
            f"--part of world mitocheck is {' or '.join(PARTS)}, not {request.part!r}."
            f"{did_you_mean(request.part, list(PARTS))}"
        )
    return variant


def part_of(plate: str) -> str:
    """The part that a plate belongs to for good."""
    first = hashlib.sha256(f"mitocheck plate {plate}".encode()).digest()[0]
    return "sealed" if first < 128 else "development"


def _of_part(cells: KnownCells, part: str | None) -> KnownCells:
    """The cells of the plates of one part; all of them without a part."""
    if part is None:
        return cells
    kept = [n for n, plate in enumerate(cells.columns["plate"]) if part_of(plate) == part]
    columns = {name: tuple(values[n] for n in kept) for name, values in cells.columns.items()}
    return KnownCells(cells.pixels[kept], {**columns, "number": tuple(map(str, kept))})


def _bags(cells: KnownCells, variant: str, seed: int) -> list[npt.NDArray[np.int64]]:
    if variant == "wells":
        return place_bags(list(zip(cells.columns["plate"], cells.columns["well"], strict=True)))
    classes = np.unique(np.array(cells.columns["phenotype"]), return_inverse=True)[1]
    folds = np.array(cells.columns["fold"], np.int64)
    return mixed_bags(classes.astype(np.int64), folds, seed=seed, size=BAG)


def _field(
    cells: KnownCells, bag: npt.NDArray[np.int64], number: int, variant: str
) -> dict[str, str]:
    """The row of `labels.csv`; a column called `well` would be taken for its key."""
    first = int(bag[0])
    row = {
        "site_id": f"{variant.removesuffix('s')}{number:03d}",
        "label": "|".join(sorted({cells.columns["phenotype"][cell] for cell in bag})),
        "Fold": cells.columns["fold"][first],
    }
    if variant == "wells":
        row |= {"Plate": cells.columns["plate"][first], "Place": cells.columns["well"][first]}
    return row


def _cell_rows(
    cells: KnownCells, names: Sequence[str], bags: Sequence[npt.NDArray[np.int64]]
) -> pl.DataFrame:
    """One row per cell in a field; cells are numbered as `mosaic_masks` numbers them."""
    columns = cells.columns
    return pl.DataFrame(
        [
            {
                "site_id": name,
                "cell_id": place,
                "classes": columns["phenotype"][cell],
                "ignored": 0,
                "group": columns["plate"][cell],
                "fold": columns["fold"][cell],
                "well": columns["well"][cell],
                "frame": columns["frame"][cell],
                "x": columns["x"][cell],
                "y": columns["y"][cell],
                "source": int(columns["number"][cell]) if "number" in columns else cell,
            }
            for name, bag in zip(names, bags, strict=True)
            for place, cell in enumerate(bag.tolist(), start=1)
        ]
    )


def _write_truth(
    request: SimulateRequest, variant: str, cells: pl.DataFrame, fields: pl.DataFrame
) -> None:
    folder = request.out / "truth"
    write_truth_cells(folder, cells)
    sites = fields.select(
        "site_id",
        pl.lit("train").alias("part"),
        (pl.col("Plate") if variant == "wells" else pl.col("Fold")).alias("group"),
        pl.col("label").alias("given"),
        pl.col("label").alias("classes"),
        pl.col("Fold").alias("fold"),
    )
    write_truth_sites(folder, sites)
    met = cells.group_by("classes").agg(pl.len(), pl.col("group").n_unique()).sort("classes")
    few = (pl.col("len") < _LEAST_CELLS) | (pl.col("group") < _LEAST_PLATES)
    content = {
        "world": "mitocheck",
        "variant": variant,
        "severity": SEVERITY,
        "severity_digest": None,
        "seed": request.seed,
        "scv": None,
        "sites": len(fields),
        "size": None if variant == "wells" else SIDE * columns_for(BAG),
        "pixel_size": None,
        "classes": met["classes"].to_list(),
        "left_out": met.filter(few)["classes"].to_list(),
        "exclusive": True,
    }
    if request.part is not None:
        content["part"] = request.part
    write_world(folder, content)
