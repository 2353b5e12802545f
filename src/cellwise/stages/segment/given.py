"""Masks that the user brings, checked and paired.

The part opens no file: the segment step, told by `--masks DIR`, passes a function that fetches the
pictures of a site. Ids are kept as they are: gaps are fine and so are ids above 65,535. Where cells
and nuclei come as two pictures, each nucleus takes the number of the cell that covers more than
half of it, and what lies outside that cell is cut off; a nucleus that no cell covers is set aside.
A cell may have no nucleus, or several pieces of one. One picture counts as cells and nuclei alike.
Source: the file names are those of Cellpose (`_masks`, `_cp_masks`) and of a run folder of ours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.records import Field, Masks
from cellwise.errors import BadOption, InputError
from cellwise.store.masks import narrow

_HIGHEST = int(np.iinfo(np.int32).max)


@dataclass(frozen=True, slots=True)
class Brought:
    """The pictures found for a site, as they are in the files; `nuclei` None where only one was."""

    cells: npt.NDArray[Any]
    nuclei: npt.NDArray[Any] | None = None


Load = Callable[[str], Brought | None]


def build(masks: str = "", load: Load | None = None) -> Callable[[Field], Masks]:
    """Make the segmenter.

    Args:
        masks: The folder, as the user wrote it.
        load: From a site id to its pictures, None where there are none; the segment step gives it.

    Returns:
        A function from a field to its masks. It raises `InputError` with code `mask_missing`,
        `mask_size` or `mask_values`.
    """
    if load is None:
        raise BadOption("Segmenter 'given' needs the folder of your masks: --masks DIR.")

    def given(field: Field) -> Masks:
        brought = load(field.site_id)
        if brought is None:
            raise InputError(
                f"{field.site_id}: no mask in {masks or 'the folder of masks'}.",
                code="mask_missing",
                remedy=f"Name it {field.site_id}_cells.tif (and _nuclei.tif) "
                f"or {field.site_id}.tif or .png.",
                path=field.site_id,
            )
        cells = _checked(field, brought.cells, "cells")
        if brought.nuclei is None:
            return Masks(cells, cells)
        return Masks(cells, pair(cells, _checked(field, brought.nuclei, "nuclei")))

    return given


def pair(cells: npt.NDArray[Any], nuclei: npt.NDArray[Any]) -> npt.NDArray[Any]:
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


def _checked(field: Field, labels: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    plain, expected = labels, field.pixels.shape[1:]
    if plain.ndim != 2:
        raise _refused(field, f"the {what} mask has the shape {plain.shape}, not [y, x]", "values")
    if plain.shape != expected:
        raise _refused(
            field, f"the {what} mask is {plain.shape} pixels, the field {expected}", "size"
        )
    if plain.dtype.kind not in "uif":
        raise _refused(
            field, f"the {what} mask holds {plain.dtype}, not numbers of cells", "values"
        )
    if plain.dtype.kind == "f" and not np.array_equal(plain, np.rint(plain)):
        raise _refused(field, f"the {what} mask holds broken numbers", "values")
    low, high = (plain.min(), plain.max()) if plain.size else (0, 0)
    if low < 0 or high > _HIGHEST:
        raise _refused(
            field, f"the {what} mask holds ids from {low} to {high}, not 0 to {_HIGHEST}", "values"
        )
    return narrow(plain)


def _refused(field: Field, reason: str, kind: str) -> InputError:
    remedies = {
        "size": "Bring a mask of the same height and width as the pictures.",
        "values": "Bring one grey picture of whole numbers: 0 = background, 1, 2, 3... = cells.",
    }
    return InputError(
        f"{field.site_id}: {reason}.",
        code=f"mask_{kind}",
        remedy=remedies[kind],
        path=field.site_id,
    )
