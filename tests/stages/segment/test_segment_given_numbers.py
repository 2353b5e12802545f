"""Masks whose numbers are not those of cells: blurred ones, and cells under the name of nuclei."""

import numpy as np
import pytest
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field
from cellwise.errors import InputError
from cellwise.stages.segment.given import Brought, build
from cellwise.stages.segment.given.numbers import blurred, exchanged


def discs(radius, size=120, step=24, dtype=np.uint16):
    """Discs in rows, numbered from 1."""
    y, x = np.mgrid[:size, :size]
    labels = np.zeros((size, size), dtype)
    centres = [(a, b) for a in range(12, size, step) for b in range(12, size, step)]
    for number, (a, b) in enumerate(centres, start=1):
        labels[(y - a) ** 2 + (x - b) ** 2 <= radius**2] = number
    return labels


def through_jpeg(labels, tmp_path):
    Image.fromarray(labels.astype(np.uint8) * 9).save(tmp_path / "m.jpg", quality=80)
    return np.asarray(Image.open(tmp_path / "m.jpg")).astype(np.int32)


def resized(labels, way):
    small = Image.fromarray(labels.astype(np.uint8) * 9).resize((60, 60), way)
    return np.asarray(small.resize((120, 120), way)).astype(np.int32)


def test_masks_that_were_jpeg_are_blurred(tmp_path):
    assert "slivers between others" in blurred(through_jpeg(discs(8), tmp_path), "cells")


@pytest.mark.parametrize("way", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
def test_masks_that_were_resized_with_interpolation_are_blurred(way):
    assert "slivers between others" in blurred(resized(discs(8), way), "cells")


def test_whole_cells_are_not_blurred_whatever_lies_beside_them():
    labels = discs(8).astype(np.int32)
    assert blurred(labels, "cells") == ""
    assert blurred(discs(14), "cells") == ""
    assert blurred(resized(discs(8), Image.Resampling.NEAREST), "cells") == ""
    specks = labels.copy()
    specks.ravel()[np.flatnonzero(labels == 0)[::37]] = np.arange(
        100, 100 + len(np.flatnonzero(labels == 0)[::37])
    )
    alone = discs(1)
    assert blurred(alone, "cells") == blurred(np.where(discs(2) > 0, discs(2), 0), "cells") == ""
    assert blurred(np.zeros((9, 9), np.int32), "cells") == ""
    few = labels.copy()
    few[12, 12:16] = [90, 91, 92, 93]
    assert blurred(few, "cells") == ""


def test_cells_and_nuclei_under_each_others_names_are_told():
    assert "25 of the 25 cells lie within a nucleus" in exchanged(discs(5), discs(9))
    assert exchanged(discs(9), discs(5)) == exchanged(discs(9), discs(9)) == ""
    assert exchanged(discs(5), np.zeros_like(discs(5))) == ""
    # Nuclei of a few merged cells, and such that reach beyond their cells, are no exchange.
    assert exchanged(discs(9), np.where(discs(9) > 20, discs(11), discs(5))) == ""


def field():
    shown = (discs(8) > 0).astype(np.float32) * 0.5 + 0.05
    return Field("A01", shown[None], (Channel("dna", "nucleus"),), None)


@pytest.mark.parametrize(
    "brought", [Brought(discs(5), discs(9)), Brought(resized(discs(8), Image.Resampling.BILINEAR))]
)
def test_such_masks_set_their_field_aside_unless_taken(brought):
    with pytest.raises(InputError) as refused:
        build("masks", load=lambda _: brought)(field())
    assert refused.value.code == "mask_implausible"
    assert "segment.implausible=take" in refused.value.remedy
    taken = build("masks", implausible="take", load=lambda _: brought)(field())
    assert taken.cells.max() > 0
