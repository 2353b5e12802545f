"""What a folder of masks holds for one field, and label images as they are stored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile
from cellwise.errors import InputError
from cellwise.store.images.fields import read_header, read_pixels
from cellwise.store.masks.shapes import Shapes

Part = npt.NDArray[Any] | Shapes


@dataclass(frozen=True, slots=True)
class Brought:
    """What was found for a field, as it is in the files; `nuclei` None where there is one kind.

    `turned` is the orientation mark of a label image, 1 where it has none; `image_turned` that of
    the image whose mask says nothing of it.
    """

    cells: Part
    nuclei: Part | None = None
    turned: int = 1
    image_turned: int = 1


def read_label_image(folder: Path, place: str) -> Brought:
    """A label image as it is stored; a stack would be flattened, which mixes numbers of cells."""
    header = read_header(folder / place)
    planes = header.channels * header.z * header.t * header.pages
    if planes > 1:
        raise InputError(
            f"{place} holds {planes} images where one label image [y, x] is expected.",
            code="mask_values",
            remedy="Save the label image alone, or cells and nuclei as two files.",
            path=str(folder / place),
        )
    try:
        pixels = read_pixels(ChannelFile(Channel("mask"), (place,)), folder)
    except InputError as error:
        if error.code == "colour":
            # What is proposed for fields is wrong here: colours are no numbers of cells.
            error.remedy = "Save the numbers of the cells, not the colours in which they are shown."
        raise
    return Brought(pixels, turned=header.turned)
