"""A read-only look at a folder: what was understood, what is wrong, what a run would cost.

Headers of all files are read, pixels of a few; nothing is written.
"""

import dataclasses
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellwise.domain.nouns import CELLS
from cellwise.domain.records import Site
from cellwise.errors import InputError, PreflightError
from cellwise.flow.pipeline.state import Request
from cellwise.flow.plan import recommended_recipe, understand_folder
from cellwise.flow.preflight import facts_of_reading, find_refusals
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve
from cellwise.flow.request import settings_of
from cellwise.stages.read.step import Reading

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
        settings: Settings by dotted path, such as `read.roles.w1`; those of other steps than the
            one that reads are left out.
        full: Decode every image instead of a sample.

    Raises:
        PreflightError: A run would be refused.
    """
    if not folder.exists():
        raise PreflightError(f"There is no folder {folder}.")
    given = {**settings_of(labels=labels), **(settings or {})}
    reading = understand_folder(folder, given).reading
    recipe, why = recommended_recipe(reading)
    resolved = resolve(load_recipe(recipe), given)
    found = find_refusals(
        Request(folder, Path(), resolved), facts_of_reading(reading), resolved.steps
    )
    usable = list(reading.usable)
    sample = usable if full else _spread(usable, _SAMPLE)
    decoded = [_decode(site, folder) for site in sample]
    faults = [fault for found in decoded for fault in found if fault["set_aside"]]
    flags = [fault for found in decoded for fault in found if not fault["set_aside"]]
    cost = _cost(reading, folder) if usable and not faults and not found else None
    return {
        "folder": str(folder),
        "layout": reading.layout,
        "recipe": recipe,
        "recipe_because": why,
        "channels": [{"name": c.name, "role": c.role} for c in reading.channels],
        "images": _image_facts(reading),
        "counts": dict(reading.counts),
        "labels": _label_facts(reading),
        "problems": [*(_problem(problem) for problem in reading.problems), *flags],
        "notes": list(reading.notes),
        "decoded": {"sites": len(sample), "all": full, "faults": faults},
        "refused": [dataclasses.asdict(refusal) for refusal in found],
        "cost": cost,
        "exit_code": 4 if found else _exit_code(reading, faults),
    }


def _exit_code(reading: Reading, faults: list[dict[str, str]]) -> int:
    """4 where a run would come to nothing, 3 where inputs would be set aside, else 0."""
    if not reading.usable:
        return 4
    return 3 if faults or _set_aside(reading) else 0


def _spread(sites: list[Site], count: int) -> list[Site]:
    """A few sites, evenly spread over the list."""
    step = max(1, len(sites) // count)
    return sites[::step][:count]


def _decode(site: Site, folder: Path) -> list[dict[str, Any]]:
    """What decoding the pixels of a site shows: why it is set aside, or odd channels."""
    from cellwise.stages.segment.facts import pixel_facts
    from cellwise.store.images.fields import read_field_with_flags

    try:
        facts = pixel_facts(*read_field_with_flags(site, folder))
    except InputError as error:
        return [
            {
                "site_id": site.id,
                "path": error.path or site.id,
                "code": error.code,
                "reason": error.reason,
                "remedy": error.remedy,
                "set_aside": True,
            }
        ]
    return [
        {
            "site_id": site.id,
            "path": site.id,
            "code": flag,
            "reason": f"channel {row['channel']} is {flag}.",
            "remedy": "",
            "set_aside": False,
        }
        for row in facts
        for flag in row["flags"]
    ]


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
    from cellwise.store.images.fields import read_field

    usable = list(reading.usable)
    site = usable[len(usable) // 2]
    segment = segmenters.build("watershed")
    try:
        segment(read_field(site, folder))
        started = time.process_time()
        masks = segment(read_field(site, folder))
    except InputError:
        return None
    seconds = time.process_time() - started
    cells = int(masks.cells.max(initial=0)) * len(usable)
    per_cell = _BYTES_PER_CELL + _BYTES_PER_CELL_AND_CHANNEL * len(reading.channels)
    return {
        "sampled_site": site.id,
        CELLS.name: cells,
        "segmentation_cpu_seconds": round(seconds * len(usable), 1),
        "disk_bytes": cells * per_cell,
        "free_bytes": shutil.disk_usage(folder).free,
    }
