"""Scores of one field that lies in memory, by the mean of all models as for any new field."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from cellwise.contracts.scorer import Scorer
from cellwise.domain.records import Field, Masks
from cellwise.domain.tables import SCORES
from cellwise.errors import PreflightError
from cellwise.parts.panel import Panel, load_panel, steady
from cellwise.parts.precision import resolve
from cellwise.parts.site_pixels import of_crops, of_field
from cellwise.stages.score import scorers
from cellwise.stages.score.spec import Options
from cellwise.stages.score.step import score_site
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import empty_frame


@dataclass(frozen=True, slots=True)
class FieldScores:
    """The models of a finished run, loaded, and how they are asked."""

    panel: Panel
    scorer: Scorer
    threads: int

    def __call__(
        self,
        field: Field,
        masks: Masks,
        cells: pl.DataFrame,
        crops: npt.NDArray[np.float32] | None,
    ) -> pl.DataFrame:
        """Rows of the score table for the cells of a field.

        Args:
            field: The pixels.
            masks: Its label images.
            cells: Rows of the cell table, sorted by cell.
            crops: `[cell, channel, y, x]` in the channels of the field; None where none were cut.

        Raises:
            PreflightError: A channel or the crops that the models read are not there.
        """
        if cells.is_empty():
            return empty_frame(SCORES, n_classes=len(self.panel.card.classes))
        numbers = torch.from_numpy(cells["cell_id"].to_numpy().astype(np.int64))
        size = self.panel.card.crop["size"]
        if self.scorer.unit == "site":
            labels = masks.cells.astype(np.int64)
            pixels = of_field(torch.from_numpy(field.pixels), field.channels, labels, numbers, size)
        elif crops is None or crops.shape[-1] != size:
            raise PreflightError(f"The models read crops of {size} pixels, and the run cuts none.")
        else:
            pixels = of_crops(torch.from_numpy(crops), field.channels, numbers)
        with steady(self.threads):
            return score_site(
                field.site_id,
                cells["cell_id"],
                fold=None,
                panel=self.panel,
                scorer=self.scorer,
                pixels_for=pixels,
            )


def open_models(options: Options, home: RunFolder, device: str) -> FieldScores:
    """Load the models that a score step of a finished run asks.

    Raises:
        PreflightError: There is no model, or it reads embeddings.
        FormatError: A model is damaged.
    """
    precision = resolve(options.precision, device)
    panel = load_panel(home, options.model, device, precision)
    if "length" in panel.card.crop:
        raise PreflightError(
            f"Model {options.model!r} reads embeddings, which fields in memory have none of. "
            "Write the fields to a folder and call `cellwise predict`."
        )
    return FieldScores(panel, scorers.build(options.by), options.threads)
