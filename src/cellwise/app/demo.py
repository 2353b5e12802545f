"""The demo: a real 96-well plate from images to per-cell labels, checked against what is known.

FKHR-GFP moves from the cytoplasm into the nucleus under two drugs. Only control wells are labelled;
what the model says of the dose wells is compared with a plain measurement it never saw, the ratio
of nuclear to ring intensity.
"""

import csv
import importlib.resources
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.plain_words import counted
from cellwise.domain.tables import PREDICTIONS
from cellwise.flow.pipeline.events import Listener
from cellwise.flow.pipeline.run import Outcome, run_pipeline
from cellwise.flow.request import make_request
from cellwise.store.atomic import write_bytes, write_text
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

POSITIVE = "Translocated"
NEGATIVE = "Negative"
RATIO = "Cells_NuclearRingRatio_gfp"
PROBABILITY = f"Prob_{POSITIVE}"
# Rows of the plate by drug, and by replicate: the folds are rows A and E against rows B and F.
DRUGS = {"A-D": "AB", "E-H": "EF"}
REPLICATES = {"1": "AE", "2": "BF"}
CONTROL = "control"

LIMITS = {
    "r2": 0.95,
    "midpoint_distance": 0.5,
    "dose_spearman": 0.80,
    "z_prime": 0.5,
    "cell_ratio_spearman": 0.45,
    "control_spearman": 0.5,
    "control_z_prime": 0.0,
}


def run_demo(
    out: Path, *, workers: int, command: Sequence[str], listener: Listener, seed: int = 0
) -> tuple[Outcome, dict[str, Any]]:
    """Unpack the plate into `out`, run `plate-quick` on it, write `demo.json`.

    Returns:
        How the run ended, and the check figures with `missed`, the sentences of what was missed.
    """
    labels = unpack(out)
    request = make_request(
        out / "input",
        out,
        labels=labels,
        recipe="plate-quick",
        # The figures that are checked were chosen with these.
        settings=["segment.name=watershed", "cells.window=40"],
        device="cpu",
        workers=workers,
        command=command,
        seed=seed,
    )
    outcome = run_pipeline(request, listener)
    result = check_figures(out, seconds=outcome.seconds)
    missed = missed_limits(result)
    result["ok"] = not missed
    write_text(out / "demo.json", json.dumps(result, indent=1, sort_keys=True) + "\n")
    return outcome, {**result, "missed": missed, "wells_shown": control_wells(out)}


def unpack(out: Path) -> Path:
    """Write the embedded images as PNG and the labels file; what is there already is kept.

    Returns:
        The labels file.
    """
    import tifffile
    from PIL import Image

    source = importlib.resources.files("cellwise") / "demo" / "plate"
    for entry in sorted(source.iterdir(), key=lambda item: item.name):
        target = out / "input" / f"{Path(entry.name).stem}.png"
        if not entry.name.endswith(".tif") or target.is_file():
            continue
        pixels = tifffile.imread(io.BytesIO(entry.read_bytes()))
        image = io.BytesIO()
        Image.fromarray(pixels).save(image, "PNG", compress_level=1)
        write_bytes(target, image.getvalue())
    labels = out / "labels.csv"
    text = labels_text((source / "wells.csv").read_text(encoding="utf-8"))
    if not labels.is_file() or labels.read_text(encoding="utf-8") != text:
        write_text(labels, text)
    return labels


def labels_text(wells: str) -> str:
    """The labels file: control wells have a label, dose wells have none."""
    target = io.StringIO()
    columns = ["well", "label", "Dose", "Drug", "Control", "Replicate"]
    writer = csv.DictWriter(target, columns, lineterminator="\n")
    writer.writeheader()
    for row in csv.DictReader(io.StringIO(wells)):
        writer.writerow(
            {
                "well": row["well"],
                "label": {"positive": POSITIVE, "negative": NEGATIVE}.get(row["control"], ""),
                "Dose": row["dose_index"],
                "Drug": _key_of(row["row"], DRUGS),
                "Control": row["control"],
                "Replicate": _key_of(row["row"], REPLICATES),
            }
        )
    return target.getvalue()


def check_figures(out: Path, *, seconds: float) -> dict[str, Any]:
    """All figures of `demo.json`, computed from the predictions tables alone."""
    from cellwise.stages.evaluate import correlation

    run = RunFolder(out)
    cells = read_table(run.predictions, PREDICTIONS)
    control = read_table(out / f"predictions_{CONTROL}.parquet", PREDICTIONS)
    wells, control_means = well_table(cells), well_table(control)
    middle = cells.filter(
        (pl.col("Metadata_Control").fill_null("") == "")
        & pl.col("Metadata_Dose").is_in(["3", "4", "5"])
        & pl.col(RATIO).is_not_null()
    )
    number = middle["Metadata_Well"].rank("dense").to_numpy()
    probability, ratio = (middle[name].to_numpy().astype(float) for name in (PROBABILITY, RATIO))
    drugs = [_drug(wells, rows) for rows in DRUGS]
    rhos = [_drug(control_means, rows)["dose_spearman"] for rows in DRUGS]
    return {
        "ok": False,
        "seconds": round(seconds, 1),
        "positive_class": POSITIVE,
        "drugs": drugs,
        "z_prime": _z_prime(wells),
        "cell_ratio_spearman": _number(correlation.build()(probability, ratio, number).within),
        "between_wells_spearman": _number(correlation.spearman(probability, ratio)),
        "negative_control": {
            # The worse of the two drugs.
            "dose_spearman": max(rhos, key=lambda rho: abs(rho or 0.0)),
            "z_prime": _z_prime(control_means),
        },
        "wells": wells.height,
        "cells": cells.height,
    }


def well_table(cells: pl.DataFrame) -> pl.DataFrame:
    """One row per well: mean probability, log of the median ratio, and what was done to it."""
    return (
        cells.group_by("Metadata_Well", maintain_order=True)
        .agg(
            pl.col(PROBABILITY).cast(pl.Float64).mean().alias("mean"),
            pl.col(RATIO).median().log().alias("log_ratio"),
            pl.col("Metadata_Dose").first().cast(pl.Float64).alias("dose"),
            pl.col("Metadata_Drug").first().alias("drug"),
            pl.col("Metadata_Control").first().fill_null("").alias("control"),
            pl.len().alias("cells"),
        )
        .sort("Metadata_Well")
    )


def control_wells(out: Path) -> list[tuple[str, str, float, int]]:
    """Well, kind, out-of-fold mean probability and cells of each control well."""
    wells = well_table(read_table(RunFolder(out).predictions, PREDICTIONS))
    shown = wells.filter(pl.col("control") != "").sort("control", "Metadata_Well")
    return list(shown.select("Metadata_Well", "control", "mean", "cells").iter_rows())


def missed_limits(result: dict[str, Any]) -> list[str]:
    """A sentence for each figure that misses its limit; a figure that is missing misses too."""
    missed = []
    for drug in result["drugs"]:
        where = f"rows {drug['rows']}"
        missed += _below(f"{where}: R2", drug["r2"], LIMITS["r2"])
        missed += _below(
            f"{where}: dose rank correlation", drug["dose_spearman"], LIMITS["dose_spearman"]
        )
        middle, known = drug["midpoint"], drug["reference_midpoint"]
        if middle is None or known is None or abs(middle - known) > LIMITS["midpoint_distance"]:
            missed.append(f"{where}: midpoint {middle} is not within 0.5 of {known}")
    missed += _below("Z'", result["z_prime"], LIMITS["z_prime"])
    missed += _below(
        "within-well correlation", result["cell_ratio_spearman"], LIMITS["cell_ratio_spearman"]
    )
    control = result["negative_control"]
    rho, z_prime = control["dose_spearman"], control["z_prime"]
    if rho is None or abs(rho) >= LIMITS["control_spearman"]:
        missed.append(f"negative control: dose rank correlation {rho} is not under 0.5")
    if z_prime is None or z_prime >= LIMITS["control_z_prime"]:
        missed.append(f"negative control: Z' {z_prime} is not below 0")
    return missed


def print_lines(result: dict[str, Any]) -> list[str]:
    """What the command prints of the figures."""
    lines = [
        f"\nBBBC013, {counted(result['wells'], 'wells')}, {counted(result['cells'], 'cells')}, "
        f"class {POSITIVE}:"
    ]
    for drug in result["drugs"]:
        interval = f"[{_shown(drug['midpoint_low'])}, {_shown(drug['midpoint_high'])}]"
        lines.append(
            f"  rows {drug['rows']}, 18 dose wells: R2 {_shown(drug['r2'], 3)} · midpoint "
            f"{_shown(drug['midpoint'])} {interval} "
            f"(nuclear/ring ratio: {_shown(drug['reference_midpoint'])}) · "
            f"dose rank correlation {_shown(drug['dose_spearman'])}"
        )
    wells: list[tuple[str, str, float, int]] = result["wells_shown"]
    lines.append(f"  Z' of the out-of-fold control wells {_shown(result['z_prime'])}, from")
    for kind in ("negative", "positive"):
        shown = [f"{well} {mean:.3f} ({n})" for well, k, mean, n in wells if k == kind]
        lines.append(f"    {kind}: {', '.join(shown)}")
    control = result["negative_control"]
    lines += [
        "  probability against nuclear/ring ratio, rank correlation: within wells "
        f"{_shown(result['cell_ratio_spearman'])} (median of 12 wells of doses 3 to 5), "
        f"between wells {_shown(result['between_wells_spearman'])} (pooled)",
        "  negative control without GFP: dose rank correlation "
        f"{_shown(control['dose_spearman'])}, Z' {_shown(control['z_prime'], 1)}",
        "",
    ]
    return lines


def _drug(wells: pl.DataFrame, rows: str) -> dict[str, Any]:
    from cellwise.stages.evaluate import dose_response

    dosed = wells.filter((pl.col("drug") == rows) & (pl.col("control") == ""))
    dose = dosed["dose"].to_numpy()
    fit = dose_response.build()
    curve = fit(dose, dosed["mean"].to_numpy(), seed=0)
    reference = fit(dose, dosed["log_ratio"].to_numpy(), seed=0)
    return {
        "rows": rows,
        "dose_spearman": _number(curve.spearman),
        "r2": _number(curve.r2),
        "midpoint": _number(curve.midpoint),
        "midpoint_low": _number(curve.low),
        "midpoint_high": _number(curve.high),
        "reference_midpoint": _number(reference.midpoint),
    }


def _z_prime(wells: pl.DataFrame) -> float | None:
    from cellwise.stages.evaluate import screen_quality

    up, down = (
        wells.filter(pl.col("control") == kind)["mean"].to_numpy()
        for kind in ("positive", "negative")
    )
    return _number(screen_quality.build()(up, down, seed=0).z_prime)


def _below(what: str, value: float | None, limit: float) -> list[str]:
    return [] if value is not None and value >= limit else [f"{what} {value} is below {limit}"]


def _key_of(row: str, groups: dict[str, str]) -> str:
    return next(name for name, rows in groups.items() if row in rows)


def _number(value: float) -> float | None:
    return float(np.round(value, 6)) if math.isfinite(value) else None


def _shown(value: float | None, digits: int = 2) -> str:
    return "none" if value is None else f"{value:.{digits}f}"
