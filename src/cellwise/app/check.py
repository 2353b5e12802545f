"""A read-only look at a folder: what was understood, what is wrong, what a run would cost.

Headers of all files are read, pixels of a few; nothing is written.
"""

import shutil
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellwise.app.recipe.load import recipe_names
from cellwise.domain.records import Site
from cellwise.errors import InputError, PreflightError
from cellwise.stages.read.step import Reading, build, understand

_SAMPLE = 3
# A crop of 64 x 64 float16 per channel, a row in two tables, a share of a mask.
_BYTES_PER_CELL_AND_CHANNEL = 64 * 64 * 2
_BYTES_PER_CELL = 600


def check_folder(
    folder: Path,
    *,
    labels: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    full: bool = False,
) -> dict[str, Any]:
    """Everything that `cellwise check` shows, as data.

    Args:
        folder: Folder of images.
        labels: CSV with one row per field or well.
        settings: Read options by name, as in `--set read.<name>=`.
        full: Decode every image instead of a sample.

    Raises:
        PreflightError: A run would be refused.
    """
    if not folder.exists():
        raise PreflightError(f"There is no folder {folder}.")
    if folder.is_file():
        raise PreflightError(
            f"{folder} is a file. Checking submission files comes with a later release; "
            "give a folder of images."
        )
    options = {**(settings or {}), **({"labels": str(labels)} if labels else {})}
    reading = understand(folder, build(**options))
    usable = list(reading.usable)
    sample = usable if full else _spread(usable, _SAMPLE)
    decoded = [_decode(site, folder) for site in sample]
    faults = [fault for fault in decoded if isinstance(fault, dict)]
    return {
        "folder": str(folder),
        "layout": reading.layout,
        "recipe": recommended_recipe(reading),
        "channels": [{"name": c.name, "role": c.role} for c in reading.channels],
        "images": _image_facts(reading),
        "counts": dict(reading.counts),
        "labels": _label_facts(reading),
        "problems": [_problem(problem) for problem in reading.problems],
        "notes": list(reading.notes),
        "decoded": {"sites": len(sample), "all": full, "faults": faults},
        "cost": _cost(reading, folder) if usable and not faults else None,
        "exit_code": 0 if usable and not faults and not _set_aside(reading) else 3 if usable else 4,
    }


def recommended_recipe(reading: Reading) -> str:
    """The recipe that `run` would take for this folder."""
    if not any(site.labels is not None for site in reading.sites):
        return "segment-only"
    known = recipe_names()
    hpa = reading.layout == "hpa" or reading.class_list == "hpa19"
    if hpa and "hpa-quick" in known:
        return "hpa-quick"
    if reading.layout == "rxrx1" and "rxrx1-quick" in known:
        return "rxrx1-quick"
    return "plate-quick"


def _spread(sites: list[Site], count: int) -> list[Site]:
    """A few sites, evenly spread over the list."""
    step = max(1, len(sites) // count)
    return sites[::step][:count]


def _decode(site: Site, folder: Path) -> dict[str, str] | None:
    from cellwise.store.images import read_field

    try:
        read_field(site, folder)
    except InputError as error:
        return {
            "site_id": site.id,
            "path": error.path or site.id,
            "code": error.code,
            "reason": error.reason,
            "remedy": error.remedy,
        }
    return None


def _image_facts(reading: Reading) -> dict[str, Any]:
    heads = list(reading.headers.values())
    sizes = Counter(f"{h['height']}x{h['width']}" for h in heads if h.get("height"))
    kinds = Counter(str(h["dtype"]) for h in heads if h.get("dtype"))
    pixel_sizes = sorted({s.pixel_size for s in reading.sites if s.pixel_size})
    return {
        "sizes": dict(sizes.most_common(5)),
        "dtypes": dict(kinds.most_common()),
        "pixel_sizes": pixel_sizes[:5],
        "bytes": sum(int(h.get("size") or 0) for h in heads),
    }


def _label_facts(reading: Reading) -> dict[str, Any] | None:
    if reading.classes is None:
        return None
    counts = Counter(name for site in reading.usable for name in site.labels or ())
    return {
        "file": reading.labels_file,
        "classes": {name: counts.get(name, 0) for name in reading.classes.names},
        "negative": reading.classes.negative,
        "labelled": sum(site.labels is not None for site in reading.usable),
        "unlabelled": sum(site.labels is None for site in reading.usable),
    }


def _problem(problem: Any) -> dict[str, Any]:
    return {
        "site_id": problem.site_id,
        "path": problem.path,
        "code": problem.code,
        "reason": problem.reason,
        "remedy": problem.remedy,
        "set_aside": problem.set_aside,
    }


def _set_aside(reading: Reading) -> bool:
    return any(problem.set_aside for problem in reading.problems)


def _cost(reading: Reading, folder: Path) -> dict[str, Any] | None:
    """Cells, seconds and bytes of a run, from segmenting one site in the middle of the list."""
    from cellwise.stages.segment import segmenters
    from cellwise.store.images import read_field

    usable = list(reading.usable)
    site = usable[len(usable) // 2]
    try:
        segment = segmenters.build("watershed")
        segment(read_field(site, folder))
        started = time.process_time()
        masks = segment(read_field(site, folder))
    except InputError as error:
        return {"refused": error.reason, "remedy": error.remedy}
    seconds = time.process_time() - started
    cells = int(masks.cells.max(initial=0)) * len(usable)
    per_cell = _BYTES_PER_CELL + _BYTES_PER_CELL_AND_CHANNEL * len(reading.channels)
    return {
        "sampled_site": site.id,
        "cells": cells,
        "segmentation_cpu_seconds": round(seconds * len(usable), 1),
        "disk_bytes": cells * per_cell,
        "free_bytes": shutil.disk_usage(folder).free,
    }
