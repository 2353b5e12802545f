"""Each cell alone in a field that is black otherwise, through a network that knows fields.

Source: the input "masked" of the HPA 2021 system AllDataAreExt & Galixir (everything but the cell
zero at 512 pixels), its "center_cells" (the cell moved to the middle of an empty canvas), and
"Raman", which turned each cell before it was repeated.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from cellwise.contracts.scorer import Predictor, Scorer, SitePixels, Views
from cellwise.errors import BadOption
from cellwise.parts.looks import Look, looks_of
from cellwise.parts.resize import resize

NEEDS = ("fields",)

_PLACES = ("own", "centre", "tiled")


def build(
    place: str = "own",
    policy: str = "mask_all",
    canvas: int = 0,
    views: str | Sequence[int] = "none",
    batch: int = 16,
    zoom: float = 0.0,
    shift: float = 0.0,
    seed: int = 0,
    *,
    turn_cell: bool = False,
) -> Scorer:
    """Make the scorer.

    Args:
        place: `own` leaves the cell where it is; `centre` moves it to the middle; `tiled` repeats
            its box until the canvas is full, so that a network sees as much of it as of a whole
            field.
        policy: As for crops: `mask_all` blanks all but the cell, `mask_others` other cells only.
        canvas: With `centre`, side in pixels of the canvas, to which larger cells are shrunk; 0 for
            the size the network was trained at.
        views: `none`, `flips` for the canvas mirrored as well (4 in all), `dihedral` for it turned
            too (8), `3 of 8` for three of these drawn by `seed`, or a list of numbers 0 to 7.
        batch: Canvases at a time; of no influence on the result beyond rounding.
        zoom: All views but the first are zoomed by a factor drawn from 1 less this to 1 and this.
        shift: And shifted by up to this share of the side.
        seed: Of the views that are drawn; two score steps with two seeds look in two ways.
        turn_cell: With `tiled`, turn the cell before it is repeated and not the canvas after.
    """
    chosen = looks_of(views, batch, zoom=zoom, shift=shift, seed=seed)
    if place not in _PLACES:
        raise BadOption(f"score masked_view: place is one of {', '.join(_PLACES)}, not {place!r}.")

    if policy not in ("mask_all", "mask_others"):
        raise BadOption(f"score masked_view: policy is mask_all or mask_others, not {policy!r}.")
    if canvas < 0 or (canvas and place != "centre"):
        raise BadOption("score masked_view: canvas is not negative, and 0 without place centre.")

    if turn_cell and place != "tiled":
        raise BadOption("score masked_view: turn_cell goes with place tiled.")

    def show(field: Tensor, masks: Tensor, number: Tensor, look: Look | None = None) -> Tensor:
        inside = masks == number
        kept = inside if policy == "mask_all" else inside | (masks == 0)
        return _canvas(field * kept, inside, place, canvas, look)

    def masked_view(predictor: Predictor, pixels: SitePixels) -> Views:
        masks = masks_at(pixels.masks, tuple(pixels.field.shape[1:]))
        found: list[list[Tensor]] = [[] for _ in chosen]
        for start in range(0, len(pixels.numbers), batch):
            some = pixels.numbers[start : start + batch]
            if not turn_cell:
                shown = torch.stack([show(pixels.field, masks, n) for n in some])
            for answers, look in zip(found, chosen, strict=True):
                if turn_cell:
                    seen = torch.stack([show(pixels.field, masks, n, look) for n in some])
                else:
                    seen = look(shown)
                answers.append(predictor(seen).logits)
        return torch.stack([torch.cat(answers) for answers in found])

    return Scorer("site", masked_view)


def masks_at(masks: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Cell numbers `[y, x]` at another size, by the nearest pixel."""
    if tuple(masks.shape) == shape:
        return masks
    # Double precision holds every cell number exactly.
    wide = masks[None, None].to(torch.float64)
    return interpolate(wide, shape, mode="nearest-exact")[0, 0].long()


def _canvas(
    alone: Tensor, inside: Tensor, place: str, side: int, look: Look | None = None
) -> Tensor:
    """Where a cell is shown: `alone` is the field without what is blanked, `inside` its mask.

    A `look` is of the cell that is then repeated.
    """
    height, width = (side, side) if side else alone.shape[1:]
    if place == "own":
        return alone
    if not inside.any():
        return alone.new_zeros(len(alone), height, width)
    rows, columns = inside.any(1).nonzero()[:, 0], inside.any(0).nonzero()[:, 0]
    box = alone[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if place == "tiled":
        box = box if look is None else look(box[None])[0]
        down, across = -(-height // box.shape[1]), -(-width // box.shape[2])
        return box.repeat(1, down, across)[:, :height, :width]
    fit = min(height / box.shape[1], width / box.shape[2], 1.0)
    if fit < 1:
        shape = (max(round(n * fit), 1) for n in box.shape[1:])
        box = resize(box[None], *shape)[0]
    canvas = alone.new_zeros(len(alone), height, width)
    top, left = (height - box.shape[1]) // 2, (width - box.shape[2]) // 2
    canvas[:, top : top + box.shape[1], left : left + box.shape[2]] = box
    return canvas
