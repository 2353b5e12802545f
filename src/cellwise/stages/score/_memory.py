"""Scores of one field that lies in memory, by the mean of all models as for any new field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.embedder import Embedded
from cellwise.contracts.scorer import Scorer
from cellwise.domain.records import Field, Masks
from cellwise.domain.specs import names_of
from cellwise.domain.tables import SCORES
from cellwise.parts.panel import Panel, load_panel, steady
from cellwise.parts.precision import resolve
from cellwise.parts.runtimes import with_runtime
from cellwise.parts.site_pixels import in_memory, of_vectors
from cellwise.stages.score import scorers
from cellwise.stages.score._sites import score_site
from cellwise.stages.score.spec import AUTO, Options
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.scores import as_stored
from cellwise.store.run.tables import empty_frame


@dataclass(frozen=True, slots=True)
class FieldScores:
    """The models of a finished run, loaded, and how they are asked."""

    panel: Panel
    scorer: Scorer
    threads: int
    embeddings: tuple[str, ...] = ()
    combine: str = "logits"

    def __call__(
        self,
        field: Field,
        masks: Masks,
        cells: pl.DataFrame,
        crops: npt.NDArray[np.float32] | None,
        vectors: Mapping[str, Embedded] | None = None,
    ) -> pl.DataFrame:
        """Rows of the score table for the cells of a field.

        Args:
            field: The pixels.
            masks: Its label images.
            cells: Rows of the cell table, sorted by cell.
            crops: `[cell, channel, y, x]` in the channels of the field; None where none were cut.
            vectors: What embed steps made of its cells, by name, for models of vectors.

        Raises:
            PreflightError: A channel or the crops that the models read are not there.
        """
        none = empty_frame(SCORES, n_classes=len(self.panel.card.classes))
        if cells.is_empty():
            return none
        numbers = cells["cell_id"]
        if self.scorer.items == "vectors":
            numbers, found = _joined([(vectors or {})[name] for name in self.embeddings])
            if numbers.is_empty():
                return none
            pixels = of_vectors(numbers.to_numpy(), found)
        else:
            pixels = in_memory(self.panel.card, field, masks, numbers.to_numpy(), crops)
        with steady(self.threads):
            rows = score_site(
                field.site_id,
                numbers,
                fold=None,
                panel=self.panel,
                scorer=self.scorer,
                pixels_for=pixels,
                combine=self.combine,
            )
        return as_stored(rows)


def open_models(options: Options, home: RunFolder, device: str) -> FieldScores:
    """Load the models that a score step of a finished run asks.

    Raises:
        PreflightError: There is no model.
        FormatError: A model is damaged.
    """
    precision = resolve(options.precision, device)
    panel = load_panel(home, options.model, device, precision)
    scorer = scorers.build(options.by)
    if options.runtime not in ("", AUTO):
        models = tuple(
            replace(
                model,
                predictor=with_runtime(model.network, options.runtime, threads=options.threads),
            )
            for model in panel.models
        )
        panel = replace(panel, models=models)
    return FieldScores(
        panel, scorer, options.threads, names_of(options.embeddings), options.combine or "logits"
    )


def _joined(parts: Sequence[Embedded]) -> tuple[pl.Series, npt.NDArray[np.float32]]:
    """The cells that every part has a vector of, and their vectors side by side."""
    numbers = [np.asarray(part.numbers) for part in parts]
    shared = reduce(np.intersect1d, numbers).astype(np.int32)
    found = [
        part.vectors[np.searchsorted(own, shared)]
        for part, own in zip(parts, numbers, strict=True)
        if len(shared)
    ]
    vectors = np.concatenate(found, axis=1) if found else np.empty((0, 0), np.float32)
    return pl.Series(shared, dtype=pl.Int32), vectors.astype(np.float32, copy=False)
