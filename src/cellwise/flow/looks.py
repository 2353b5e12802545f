"""A few fields of a folder segmented before a run: how large cells are, and how long a field takes.

Which fields and how much of each follows from the folder alone, never from the machine.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Report
from cellwise.errors import InputError
from cellwise.flow.pipeline.state import Request
from cellwise.flow.recipe.resolve import Step

# Fields tried: of large ones so many, of small ones more, as few cells lie in each.
_FIELDS, _MOST = 4, 12
# Of larger ones the middle, so wide: enough for dozens of cells, small enough for any segmenter.
_PIECE = 704
_ENOUGH = _FIELDS * _PIECE**2


@dataclass(slots=True)
class Look:
    """What was seen of the fields that were tried.

    Args:
        sites: Their ids.
        load: Seconds until a process can work: libraries, weights, compiled code.
        decode: Seconds to read one field, the mean.
        segment: Seconds to segment one field, the mean.
        cells: Cells of one field, the mean.
        sides: Longer sides of the boxes of cells, those at an edge left out.
        shown: The last field, or the piece of it that was segmented.
        masks: Its cells.
        faults: Why fields that were tried will be set aside; `path` is the id of the field.
    """

    sites: list[str] = field(default_factory=list)
    load: float = 0.0
    decode: float = 0.0
    segment: float = 0.0
    cells: float = 0.0
    sides: list[int] = field(default_factory=list)
    shown: Field | None = None
    masks: Masks | None = None
    faults: list[InputError] = field(default_factory=list)


def look_at(
    request: Request, sites: list[Site], step: Step | None, *, report: Report | None = None
) -> Look:
    """Segment a few fields, evenly spread over the folder.

    Args:
        request: Gives the folder and the device.
        sites: All fields that will be worked on.
        step: The one that makes masks; None where there is none: fields are decoded then.
        report: Called before each field.
    """
    from cellwise.kernels.boxes import find_boxes
    from cellwise.stages.segment.step import open_segmenter

    look = Look()
    order = [sites[place] for place in spread(len(sites), _MOST)]
    if step is None:
        for site, whole, decode in islice(_decoded(order, request.folder, look), _FIELDS):
            _add(look, decode=decode)
            look.sites.append(site.id)
            none = np.zeros(whole.pixels.shape[1:], np.uint16)
            look.shown, look.masks = whole, Masks(none, none)
        return look
    opened = time.process_time()
    # Masks that were brought fit whole fields only.
    brought = any(c.what == "folder" and step.options.get(c.option) for c in step.spec.contents)
    made: dict[int, Any] = {}
    tried = 0
    for number, (site, whole, decode) in enumerate(_decoded(order, request.folder, look)):
        if tried >= _ENOUGH and number >= _FIELDS:
            break
        if report is not None:
            report(number, len(order), f"trying out {site.id}")
        area = math.prod(whole.pixels.shape[1:])
        if area not in made:
            # Large fields are worked on in another way, which their pieces have to show.
            made[area] = open_segmenter(request.job(step, ""), sites, area=area)
        segment = made[area]
        if not look.sites and not brought:
            # What is compiled and loaded at the first call is paid once by each process.
            segment(_piece(whole, _PIECE // 2))
            look.load = time.process_time() - opened - decode
        shown = whole if brought else _piece(whole, _PIECE)
        tried += math.prod(shown.pixels.shape[1:])
        begun = time.process_time()
        try:
            masks = segment(shown)
        except InputError as error:
            # A piece may lack what the whole field has.
            look.faults += [_of(site, error)] if brought else []
            continue
        took = time.process_time() - begun
        share = area / math.prod(shown.pixels.shape[1:])
        boxes = find_boxes(masks.cells)
        inner = ~boxes.touches_border
        count = inner.sum() + (len(boxes) - inner.sum()) * (1.0 if share == 1 else 0.5)
        look.sides += np.maximum(boxes.y1 - boxes.y0, boxes.x1 - boxes.x0)[inner].tolist()
        _add(look, decode=decode, segment=took * share, cells=float(count) * share)
        look.sites.append(site.id)
        look.shown, look.masks = shown, masks
    return look


def spread(count: int, most: int) -> list[int]:
    """Places in a list of `count`, at most `most`: the middle first, then ever finer."""
    places = [(2 * k + 1) / 2**level for level in range(1, 5) for k in range(2 ** (level - 1))]
    return list(dict.fromkeys(int(place * count) for place in places if count))[:most]


def _of(site: Site, error: InputError) -> InputError:
    return InputError(error.reason, code=error.code, remedy=error.remedy, path=site.id)


def _decoded(sites: list[Site], folder: Path, look: Look) -> Iterator[tuple[Site, Field, float]]:
    from cellwise.store.images.fields import read_field

    for site in sites:
        begun = time.process_time()
        try:
            whole = read_field(site, folder)
        except InputError as error:
            look.faults.append(_of(site, error))
            continue
        yield site, whole, time.process_time() - begun


def _piece(whole: Field, side: int) -> Field:
    """The middle of a field, at most `side` wide."""
    height, width = whole.pixels.shape[1:]
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    pixels = whole.pixels[:, top : top + side, left : left + side]
    return replace(whole, pixels=np.ascontiguousarray(pixels))


def _add(look: Look, **seen: float) -> None:
    """Take one more field into the means."""
    before = len(look.sites)
    for name, value in seen.items():
        setattr(look, name, (getattr(look, name) * before + value) / (before + 1))
