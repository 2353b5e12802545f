"""CellProfiler's own measurements (extra `cp-measure`), of cells, nuclei and cytoplasm.

Slower than `measured` by far; for those who need the very numbers of CellProfiler. Names are
object, measurement and channel, such as `Nuclei_Intensity_MeanIntensity_protein`, in pixels and in
0..1 of the intensity scale. Where a cell lies in its field is left out. What cannot be measured of
a cell is missing.

Source: cp_measure, Muñoz et al. 2025, arXiv 2507.01163.
"""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.embedder import Embed, Embedded, Embedder, Facts
from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Job
from cellwise.domain.trial import Trial
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.embed._looking import channels_of, check_same, read_cells

GROUPS = (
    "intensity", "texture", "granularity", "radial_distribution", "radial_zernikes", "sizeshape",
    "zernike", "feret", "correlation_pearson", "correlation_costes", "correlation_manders_fold",
    "correlation_rwc",
)  # fmt: skip
_USUAL = ("intensity", "texture", "radial_distribution", "sizeshape", "correlation_pearson")
_OBJECTS = ("Cells", "Nuclei", "Cytoplasm")
# Cells tried before a run.
_TRIED = 8
# With fewer pixels an object counts as not there.
_LEAST_PIXELS = 12
_PLACES = ("Center_", "Location_", "BoundingBoxMinimum", "BoundingBoxMaximum")


def build(groups: list[str] | None = None, without: list[str] | None = None) -> Embedder:
    """Make the embedder.

    Args:
        groups: What is measured, by cp_measure's names; intensity, texture, radial_distribution,
            sizeshape and correlation_pearson where not said.
        without: Channels that are not looked at, by role or name.
    """
    chosen = tuple(_USUAL if groups is None else groups)
    unknown = [group for group in chosen if group not in GROUPS]
    if unknown or not chosen:
        raise BadOption(
            f"embed cp_measure: groups are some of {', '.join(GROUPS)}, not "
            f"{unknown[0] if unknown else 'none'}."
        )
    return _Peer(chosen, tuple(without or ()))


@dataclass(frozen=True, slots=True)
class _Peer:
    groups: tuple[str, ...]
    without: tuple[str, ...]

    def check(self) -> None:
        if find_spec("cp_measure") is None:
            raise PreflightError(
                "Embedder 'cp_measure' needs a package that is not installed here: "
                "pip install 'cellwise[cp-measure]'"
            )

    def check_sites(self, job: Job) -> None:
        check_same(job, _columns(self.groups, _words(self._channels(job))))

    def check_cells(self, job: Job, cells: pl.DataFrame) -> None:
        """Whatever the cells are, they are measured."""

    def facts(self, job: Job) -> Facts:
        names = list(_columns(self.groups, _words(self._channels(job))))
        return Facts({"columns": names, "missing": True}, {"numbers": len(names)}, dtype="float32")

    def open(self, job: Job, sites: Sequence[Site], cells: pl.DataFrame) -> Embed:
        channels = self._channels(job)
        names = _columns(self.groups, _words(channels))
        check_same(job, names)
        known = {site.id: site for site in sites}

        def embed(site_id: str) -> Embedded:
            field, masks = read_cells(known[site_id], job, channels)
            return Embedded(*measure(field, masks, self.groups))

        return embed

    def seconds(self, job: Job, trial: Trial) -> float:
        """Seconds of one core that the cells of a field take."""
        kept = self._seen(trial.channels)
        numbers = np.unique(trial.masks.cells[trial.masks.cells > 0])[:_TRIED]
        if find_spec("cp_measure") is None or not kept or not len(numbers):
            return 0.0
        # Images without cells would be looked through for nothing.
        inside = np.isin(trial.masks.cells, numbers)
        rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
        near = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        cells, nuclei = (
            np.where(inside, of, 0)[near] for of in (trial.masks.cells, trial.masks.nuclei)
        )
        whole = trial.field.arranged(kept)
        field = replace(whole, pixels=whole.pixels[(slice(None), *near)])
        _columns(self.groups, _words(kept))
        begun = time.process_time()
        measure(field, Masks(cells, nuclei), self.groups)
        return (time.process_time() - begun) / len(numbers) * trial.cells

    def _seen(self, channels: Sequence[Channel]) -> tuple[Channel, ...]:
        return tuple(c for c in channels if not {c.role, c.name} & set(self.without))

    def _channels(self, job: Job) -> tuple[Channel, ...]:
        kept = self._seen(channels_of(job, self.without, "cp_measure"))
        if not kept:
            raise BadOption("embed cp_measure: no channel is left to measure.")
        return kept


def measure(
    field: Field, masks: Masks, groups: Sequence[str]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Numbers of the cells of a field, and what is measured of them, `[cell, number]`.

    NaN where an object is not there or a measurement is none.
    """
    columns = _columns(tuple(groups), _words(field.channels))
    numbers = np.unique(masks.cells[masks.cells > 0]).astype(np.int32)
    result = np.full((len(numbers), len(columns)), np.nan, np.float32)
    width = len(columns) // len(_OBJECTS)
    words = _words(field.channels)
    for place, labels in enumerate(_objects(masks)):
        if not labels.any():
            continue
        found, _, rows = _run(field.pixels, labels, groups, words)
        block = slice(place * width, (place + 1) * width)
        result[np.searchsorted(numbers, [row[2] for row in rows]), block] = found
    result[~np.isfinite(result)] = np.nan
    return numbers, result


def _objects(masks: Masks) -> list[npt.NDArray[np.int64]]:
    cells = masks.cells.astype(np.int64)
    nuclei = np.where(masks.nuclei == masks.cells, cells, 0)
    seen = np.isin(cells, np.unique(nuclei[nuclei > 0]))
    found = []
    for labels in (cells, nuclei, np.where(seen & (nuclei == 0), cells, 0)):
        counts = np.bincount(labels.ravel())
        found.append(np.where(counts[labels] >= _LEAST_PIXELS, labels, 0))
    return found


def _words(channels: Sequence[Channel]) -> tuple[str, ...]:
    roles = [channel.role for channel in channels]
    return tuple(c.name if roles.count(c.role) > 1 else c.key for c in channels)


@lru_cache(maxsize=4)
def _columns(groups: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the numbers, from measuring a disc."""
    y, x = np.mgrid[:32, :32]
    disc = (np.hypot(y - 16, x - 16) < 12).astype(np.int64)
    pixels = np.broadcast_to((y + 2 * x) / 128, (len(words), 32, 32)).astype(np.float32)
    names = _run(pixels, disc, groups, words)[1]
    return tuple(f"{who}_{name.replace('__', '_')}" for who in _OBJECTS for name in names)


def _run(
    pixels: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    groups: Sequence[str],
    words: tuple[str, ...],
) -> Any:
    from cp_measure.featurizer import featurize, make_featurizer_config

    chosen = {group: group in groups for group in GROUPS}
    config = make_featurizer_config(list(words), objects=["object"], **chosen)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # It warns of what it cannot measure, which is missing here.
        warnings.simplefilter("ignore")
        found, names, rows = featurize(pixels[None].astype(np.float64), labels[None, None], config)
    kept = [k for k, name in enumerate(names) if not name.startswith(_PLACES)]
    return found[:, kept], [names[k] for k in kept], rows
