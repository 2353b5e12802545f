"""Cellpose 4 (extra `cellpose`): a large network for cells and nuclei of any kind and stain.

Cells are found in the body stain together with the nucleus stain; a second pass over the nucleus
stain alone finds nuclei, and each belongs to the cell that covers more than half of it. A field
without a body stain is segmented once, and what is found counts as cells and nuclei alike. On a
processor a field of 2048 x 2048 takes minutes. Nothing is fetched: see `weights`.

Source: Pachitariu, Rariden and Stringer, bioRxiv 2025.04.28.651001 (Cellpose-SAM); Stringer et al.,
Nat Methods 18, 100 (2021).
"""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field as Limits

from cellwise.contracts.segmenter import Segmenter
from cellwise.domain.records import Field, Masks
from cellwise.stages.segment._libraries import (
    body_and_nucleus,
    find_weights,
    loaded,
    paired,
    require_package,
    whole_numbers,
)
from cellwise.stages.segment.watershed.foreground import Plane

# The names under which the package keeps its own, the newest first.
_OWN = ("cpsam_v2", "cpsam")
_FETCH = 'python -c "from cellpose import models; models.CellposeModel()"'


def build(
    weights: str = "",
    diameter: Annotated[float, Limits(gt=0)] | None = None,
    flow_threshold: Annotated[float, Limits(ge=0)] = 0.4,
    cellprob_threshold: float = 0.0,
    min_size: Annotated[int, Limits(ge=0)] = 15,
    nuclei: Literal["find", "none"] = "find",
    body: Sequence[str] | None = None,
    batch: Annotated[int, Limits(ge=1)] = 8,
    device: Literal["cpu", "cuda"] | None = None,
) -> Segmenter:
    """Make the segmenter.

    Args:
        weights: A file of Cellpose 4 weights; empty takes those that Cellpose itself has fetched
            before (`CELLPOSE_LOCAL_MODELS_PATH`, else `.cellpose/models` in the home folder).
        diameter: Typical cell diameter in pixels, to which the field is scaled; None leaves it.
        flow_threshold: Cells whose flows fit worse than this are dropped; 0 keeps all.
        cellprob_threshold: Pixels above this belong to cells: lower finds more and larger ones.
        min_size: Smaller cells, in pixels, are dropped.
        nuclei: `none` spares the second pass; cells then have no nucleus.
        body: Roles or names of the channels that show the cell body; None as for `watershed`.
        batch: Tiles that go through the network together.
        device: `cpu` or `cuda`; None takes that of the run (`--device`).

    Returns:
        A function from a field to its masks. It raises `InputError` with code `channel_missing`
        where the field shows neither body nor nucleus.
    """
    require_package("cellpose", "cellpose")
    path = weights_file(weights)
    options = {
        "diameter": diameter,
        "flow_threshold": flow_threshold,
        "cellprob_threshold": cellprob_threshold,
        "min_size": min_size,
        "batch_size": batch,
    }

    def cellpose(field: Field) -> Masks:
        model = _model(path, path.stat().st_mtime_ns, device or "cpu")

        def segment(first: Plane, second: Plane | None = None) -> npt.NDArray[Any]:
            # The network reads three planes whose order does not matter.
            empty = np.zeros_like(first)
            other = empty if second is None or second is first else second
            planes = np.stack([first, other, empty], axis=-1)
            answer = model.eval(planes, channel_axis=-1, **options)
            return whole_numbers(field, answer[0], by="cellpose")

        first, nucleus = body_and_nucleus(field, body)
        cells = segment(first, nucleus)
        if first is nucleus:
            return Masks(cells, cells)
        if nucleus is None or nuclei == "none":
            return Masks(cells, np.zeros_like(cells))
        return paired(cells, segment(nucleus))

    return cellpose


def check_channels(field: Field, options: Mapping[str, Any]) -> None:
    """Refuse channels that show neither body nor nucleus; the field's pixels do not matter.

    Raises:
        InputError: As the segmenter itself would.
    """
    body_and_nucleus(field, options.get("body"))


def weights_file(weights: str = "") -> Path:
    """The file that is read for this option.

    Raises:
        UsageError: There is none.
    """
    kept = [_home() / name for name in _OWN]
    return find_weights(weights, kept, extra="cellpose", fetch=_FETCH)


def _home() -> Path:
    """Where Cellpose keeps what it has fetched."""
    said = os.environ.get("CELLPOSE_LOCAL_MODELS_PATH")
    return Path(said) if said else Path.home() / ".cellpose" / "models"


@lru_cache(maxsize=1)
def _model(path: Path, changed: int, device: str) -> Any:
    """The loaded network, kept from batch to batch; `changed` tells a new file."""
    gpu = device == "cuda"
    return loaded(
        "cellpose.models",
        path,
        # A file is taken as it is, a name would be fetched; processors are slow at half numbers.
        lambda library: library.CellposeModel(
            gpu=gpu, pretrained_model=str(path), use_bfloat16=gpu
        ),
    )
