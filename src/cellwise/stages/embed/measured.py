"""Measured features: where each stain lies in a cell, its texture at several scales, and shape.

Needs no training and no GPU. The numbers have names, such as `Nuclei_Texture_Contrast_3_protein`;
see the page of features for what they mean. One that cannot be measured of a cell, such as anything
about the nucleus of a cell without one in view, is missing.

Source: the groups of CellProfiler (Stirling et al., BMC Bioinformatics 22, 433, 2021) and of the
subcellular location features of Boland and Murphy, Bioinformatics 17, 1213 (2001).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.embedder import Embed, Embedded, Embedder, EmbedField, Facts
from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Job
from cellwise.domain.trial import Trial
from cellwise.errors import BadOption
from cellwise.kernels.reduce import reduce_field
from cellwise.parts.features.measure import measure_cells
from cellwise.parts.features.panel import ALL_GROUPS, Panel, panel_of
from cellwise.registry import did_you_mean
from cellwise.stages.embed._looking import channels_of, check_same, read_cells

_LARGEST_FACTOR = 16


def build(
    without: list[str] | None = None,
    pixel_size: float = 0.32,
    reduce: int = 0,
    only: list[str] | None = None,
    *,
    relative: bool = False,
) -> Embedder:
    """Make the embedder.

    Args:
        without: Channels that are not looked at, by role or name. Without the protein, and with no
            other stain that fills the cell, nuclei and 3 pixels around them are measured in place
            of cells, whose outline shows the protein.
        pixel_size: Micrometres of a pixel at which cells are measured: a field whose pixels are
            known to be finer is first averaged down by the largest whole factor that keeps pixels
            no larger than this. Others are measured as they are.
        reduce: That factor for all fields, whatever their pixels; 0 to take it from `pixel_size`.
        only: What is measured beside shape: zones, intensity, scales, ridges, spots, granularity,
            texture, landmarks; all where not said.
        relative: Leave out the numbers that change with the gain of a channel, where brightness
            must not be the answer.
    """
    if not pixel_size > 0:
        raise BadOption(f"embed measured: pixel_size is above 0 micrometres, not {pixel_size}.")
    if not 0 <= reduce <= _LARGEST_FACTOR:
        raise BadOption(f"embed measured: reduce is 0 to {_LARGEST_FACTOR}, not {reduce}.")
    if unknown := sorted(set(only or ()) - set(ALL_GROUPS)):
        raise BadOption(
            f"embed measured: only is a list of {', '.join(ALL_GROUPS)}, not {unknown[0]!r}."
            f"{did_you_mean(unknown[0], list(ALL_GROUPS))}"
        )
    kept = ALL_GROUPS if only is None else tuple(only)
    return _Measured(tuple(without or ()), pixel_size, reduce, kept, relative)


@dataclass(frozen=True, slots=True)
class _Measured:
    without: tuple[str, ...]
    pixel_size: float
    reduce: int
    groups: tuple[str, ...] = ALL_GROUPS
    relative: bool = False

    def check(self) -> None:
        """Nothing outside the run is needed."""

    def check_sites(self, job: Job) -> None:
        check_same(job, self._panel(job)[1].names)

    def check_cells(self, job: Job, cells: pl.DataFrame) -> None:
        """Whatever the cells are, they are measured."""

    def facts(self, job: Job) -> Facts:
        names = self._panel(job)[1].names
        card = {"columns": names, "missing": True, "pixel_size": self.pixel_size}
        return Facts(card, {"numbers": len(names)}, dtype="float32")

    def open(self, job: Job, sites: Sequence[Site], cells: pl.DataFrame) -> Embed:
        channels, panel = self._panel(job)
        check_same(job, panel.names)
        known = {site.id: site for site in sites}

        def embed(site_id: str) -> Embedded:
            field, masks = read_cells(known[site_id], job, channels)
            return Embedded(*self._measure(field, masks, panel))

        return embed

    def open_fields(self, job: Job) -> EmbedField:
        channels, panel = self._panel(job)
        check_same(job, panel.names)
        return lambda field, masks, cells, crops: Embedded(
            *self._measure(field.arranged(channels), masks, panel)
        )

    def seconds(self, job: Job, trial: Trial) -> float:
        """Seconds of one core that the cells of a field take, once code is compiled."""
        panel = self._made(trial.channels)
        if not panel.measured:
            return 0.0
        self._measure(trial.field, trial.masks, panel)
        begun = time.process_time()
        numbers, _ = self._measure(trial.field, trial.masks, panel)
        return (time.process_time() - begun) / max(1, len(numbers)) * trial.cells

    def _measure(
        self, field: Field, masks: Masks, panel: Panel
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        # A field smaller than one block would be gone.
        factor = min(self._factor(field.pixel_size), *masks.cells.shape)
        pixels, inside, nuclei = reduce_field(field.pixels, masks.cells, masks.nuclei, factor)
        boxes, found = measure_cells(replace(field, pixels=pixels), Masks(inside, nuclei), panel)
        numbers = np.unique(masks.cells[masks.cells > 0]).astype(np.int32)
        vectors = np.full((len(numbers), len(panel.names)), np.nan, np.float32)
        # A cell may be too small to be seen in the reduced field.
        vectors[np.searchsorted(numbers, boxes.ids)] = found
        return numbers, vectors

    def _factor(self, pixel_size: float | None) -> int:
        if self.reduce:
            return self.reduce
        if not pixel_size or not np.isfinite(pixel_size):
            return 1
        # A little up: 0.32 / 0.08 must not become 3.
        return int(np.clip(self.pixel_size / pixel_size * 1.001, 1, _LARGEST_FACTOR))

    def _made(self, channels: Sequence[Channel]) -> Panel:
        return panel_of(
            channels, without=self.without, levels=not self.relative, groups=self.groups
        )

    def _panel(self, job: Job) -> tuple[tuple[Channel, ...], Panel]:
        channels = channels_of(job, self.without, "measured")
        panel = self._made(channels)
        if not panel.measured:
            raise BadOption("embed measured: no channel is left to measure.")
        return channels, panel
