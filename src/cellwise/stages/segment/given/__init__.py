"""Imported masks, which the user brings: checked and paired. Recipes say `imported`, or `given`.

The part opens no file: the segment step, told by `--masks DIR`, passes a function that fetches the
masks of a site. Ids are kept as they are: gaps are fine and so are ids above 65,535; outlines
(COCO, GeoJSON) are numbered as listed. Where cells and nuclei come apart, each nucleus takes the
number of the cell that covers more than half of it, and what lies outside that cell is cut off; a
nucleus that no cell covers is set aside. A cell may have no nucleus, or several pieces of one. One
image counts as cells and nuclei alike.

Source: label images as Cellpose and the run folders of ours write them; COCO (Lin et al. 2014);
QuPath (Bankhead et al. 2017).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.contracts.segmenter import Segmenter
from cellwise.domain.records import Field, Masks
from cellwise.errors import BadOption, InputError
from cellwise.stages.segment.given.numbers import blurred, exchanged
from cellwise.stages.segment.given.plausible import doubt
from cellwise.stages.segment.given.shapes import draw
from cellwise.stages.segment.given.turned import lies_turned
from cellwise.store.masks.brought import Brought
from cellwise.store.masks.shapes import Shapes
from cellwise.store.run.masks import narrow

__all__ = ["Brought", "GivenLabels", "Load", "build", "missing", "pair"]

_HIGHEST = int(np.iinfo(np.int32).max)
_MOST_PIECES = 2
# Drawing takes five bytes for each; 16,384 x 16,384.
_MOST_PIXELS = 1 << 28
_REMEDIES = {
    "size": "Bring masks of the same height and width as the images.",
    "turned": "Save the mask as the image is stored, or the image without that mark; or take the "
    "mask as it is: --set segment.implausible=take.",
    "implausible": "Bring the mask of this very field, or take it as it is: "
    "--set segment.implausible=take.",
    "values": "Bring one grey image of whole numbers: 0 = background, 1, 2, 3... = cells.",
}

Load = Callable[[str], Brought | None]
Labels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class GivenLabels(Masks):
    """Masks with `notes` on what was brought: counts by name, for the record of the site."""

    notes: dict[str, float] = field(default_factory=dict)


def build(
    masks: str = "",
    resize: Literal["", "nearest"] = "",
    *,
    allow_pickle: bool = False,
    implausible: Literal["refuse", "take"] = "refuse",
    load: Load | None = None,
) -> Segmenter:
    """Make the segmenter.

    Args:
        masks: The folder, as the user wrote it.
        resize: `nearest` takes masks that are a whole number of times larger or smaller than the
            field, in both directions alike; empty refuses them.
        allow_pickle: Whether Cellpose's `_seg.npy` may be opened. It is a pickle: a foreign one can
            be made to run programs, though the reader here admits plain data only.
        implausible: What becomes of masks that can hardly be those of their field: numbers of far
            pieces, slivers, the background as a cell, lines, cells and nuclei exchanged, what lies
            elsewhere than the cells shown.
        load: From a site id to its masks, None where there are none; the segment step gives it, and
            it is the one that heeds `allow_pickle`.

    Returns:
        A function from a field to its masks. It raises `InputError` with code `mask_missing`,
        `mask_size`, `mask_values`, `mask_implausible`, `mask_turned`, or one of those of
        `store.masks.imported`.
    """
    if load is None:
        raise BadOption("Segmenter 'imported' needs the folder of your masks: --masks DIR.")

    def given(field: Field) -> Masks:
        brought = load(field.site_id)
        if brought is None:
            raise missing(field.site_id, masks)
        notes: dict[str, float] = {}
        cells = _labels(field, brought.cells, "cells", resize, notes)
        if implausible == "refuse":
            _refuse_doubtful(field, cells, "cells", brought.image_turned)
        if brought.nuclei is None:
            return GivenLabels(cells, cells, notes)
        nuclei = _labels(field, brought.nuclei, "nuclei", resize, notes)
        if implausible == "refuse":
            _refuse_doubtful(field, nuclei, "nuclei", brought.image_turned)
            if reason := exchanged(cells, nuclei):
                raise _refused(field, reason, "implausible")
        return GivenLabels(cells, pair(cells, nuclei), notes)

    return given


def missing(site_id: str, masks: str) -> InputError:
    """Why a field without a mask in the folder `masks` is set aside."""
    return InputError(
        f"{site_id}: no mask in {masks or 'the folder of masks'}.",
        code="mask_missing",
        remedy=f"Name it {site_id}_cells.tif (and _nuclei.tif) or {site_id}.tif or .png.",
        path=site_id,
    )


def _refuse_doubtful(field: Field, labels: Labels, what: str, orientation: int) -> None:
    if orientation != 1 and (reason := lies_turned(field, labels, orientation, what)):
        raise _refused(field, reason, "turned")
    if reason := blurred(labels, what) or doubt(field, labels, what):
        raise _refused(field, reason, "implausible")


def pair(cells: Labels, nuclei: Labels) -> Labels:
    """The nuclei under the numbers of their cells; 0 where a nucleus has no cell."""
    spots = nuclei > 0
    names, own = np.unique(nuclei[spots], return_inverse=True)
    total = np.bincount(own, minlength=len(names))
    covered = cells[spots].astype(np.int64)
    keys, overlap = np.unique(own * (_HIGHEST + 1) + covered, return_counts=True)
    nucleus, cell = keys // (_HIGHEST + 1), keys % (_HIGHEST + 1)
    most = (2 * overlap > total[nucleus]) & (cell > 0)
    number = np.zeros(len(names), np.int64)
    number[nucleus[most]] = cell[most]
    paired = np.zeros(nuclei.shape, np.int64)
    paired[spots] = np.where(number[own] == covered, number[own], 0)
    return narrow(paired)


def _labels(
    field: Field, part: Labels | Shapes, what: str, resize: str, notes: dict[str, float]
) -> Labels:
    """The label image of cells or nuclei at the size of the field; `notes` gains what was odd."""
    if isinstance(part, Shapes):
        # A file may name any frame, so it is compared before anything is drawn in it.
        expected = field.pixels.shape[1:]
        frame = part.size or expected
        _factors(field, frame, what, resize)
        if frame != expected and frame[0] * frame[1] > _MOST_PIXELS:
            raise _refused(field, f"the outlines of {what} are for {frame} pixels", "size")
        part = _drawn(field, part, frame, what, notes)
    return _checked(field, _fitted(field, part, what, resize), what)


def _drawn(
    field: Field, shapes: Shapes, frame: tuple[int, ...], what: str, notes: dict[str, float]
) -> Labels:
    height, width = frame
    try:
        drawn = draw(shapes, height, width)
    except InputError as error:
        raise InputError(
            f"{field.site_id}: {what}: {error.reason}.",
            code=error.code,
            remedy=error.remedy,
            path=field.site_id,
        ) from error
    found = {
        "overlapped_pixels": drawn.overlapped,
        "outlines_lost": drawn.lost,
        "outlines_skipped": shapes.skipped,
    }
    for name, number in found.items():
        if number:
            notes[name] = notes.get(name, 0) + number
    return drawn.labels


def _fitted(field: Field, labels: Labels, what: str, resize: str) -> Labels:
    """The mask at the size of the field: the nearest pixel, where that was allowed."""
    if labels.ndim != 2:
        raise _refused(field, f"the {what} mask has the shape {labels.shape}, not [y, x]", "values")
    larger, smaller = _factors(field, labels.shape, what, resize)
    if larger > 1:
        return np.repeat(np.repeat(labels, larger, axis=0), larger, axis=1)
    # The pixel in the middle of each block; of an even block the one right below the middle.
    return labels[smaller // 2 :: smaller, smaller // 2 :: smaller] if smaller > 1 else labels


def _factors(field: Field, shape: tuple[int, ...], what: str, resize: str) -> tuple[int, int]:
    """How many times the field is larger than a mask of this shape, and how many times smaller."""
    expected = field.pixels.shape[1:]
    if shape == expected:
        return 1, 1
    said = f"the {what} mask is {shape} pixels, the field {expected}"
    larger, smaller = _factor(expected, shape), _factor(shape, expected)
    if not larger and not smaller:
        raise _refused(field, said, "size")
    if resize != "nearest":
        raise _refused(field, said, "size", " Or allow it: --set segment.resize=nearest.")
    return larger, smaller


def _factor(large: tuple[int, ...], small: tuple[int, ...]) -> int:
    """How many times `small` goes into `large`, the same both ways; 0 where it does not."""
    if 0 in small or any(a % b for a, b in zip(large, small, strict=True)):
        return 0
    times = {a // b for a, b in zip(large, small, strict=True)}
    return times.pop() if len(times) == 1 else 0


def _checked(field: Field, labels: Labels, what: str) -> Labels:
    if labels.dtype.kind not in "uif":
        raise _refused(
            field, f"the {what} mask holds {labels.dtype}, not numbers of cells", "values"
        )
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.rint(labels)):
        raise _refused(field, f"the {what} mask holds broken numbers", "values")
    low, high = (labels.min(), labels.max()) if labels.size else (0, 0)
    if low < 0 or high > _HIGHEST:
        raise _refused(
            field, f"the {what} mask holds ids from {low} to {high}, not 0 to {_HIGHEST}", "values"
        )
    if is_foreground(labels, high):
        raise _refused(
            field,
            f"the {what} mask holds the number {high:.0f} in separate pieces and no other: it is a "
            "foreground, whose cells are not distinguished",
            "values",
        )
    return narrow(labels)


def is_foreground(labels: Labels, highest: Any) -> bool:
    """Whether this is an image of one number in several pieces rather than of numbered cells."""
    if not highest or ((labels != 0) & (labels != highest)).any():
        return False
    pieces, _ = cv2.connectedComponents((labels != 0).astype(np.uint8), connectivity=8)
    # The background is a piece too; one cell may well be cut in two.
    return int(pieces) - 1 > _MOST_PIECES


def _refused(field: Field, reason: str, kind: str, remedy: str = "") -> InputError:
    return InputError(
        f"{field.site_id}: {reason}.",
        code=f"mask_{kind}",
        remedy=f"{_REMEDIES[kind]}{remedy}",
        path=field.site_id,
    )
