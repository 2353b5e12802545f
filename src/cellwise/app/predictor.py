"""A finished run applied to fields in memory: its stages one after the other, and no file."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.channels import Channel
from cellwise.domain.intensities import (
    BY_TYPE,
    COUNTS,
    EIGHT_BIT,
    FLOAT,
    ONE_BY_ONE,
    Scale,
    kind_of,
    scale_of_type,
)
from cellwise.domain.records import Field
from cellwise.domain.specs import names_of
from cellwise.domain.steps import Job
from cellwise.domain.tables import PREDICTIONS, SITES
from cellwise.errors import InputError, PreflightError, UsageError
from cellwise.flow.pipeline.state import Request
from cellwise.flow.recipe.resolve import Step
from cellwise.flow.request import fitted_request
from cellwise.store.images.scale import to_unit
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.scales import learned_scales
from cellwise.store.run.tables import read_table
from cellwise.store.stains import name_channels

_SITE = "field"
# Sizes of pixels that differ by no more are one.
_SAME = 1.01
_KINDS = (np.uint8, np.uint16, np.float16, np.float32, np.float64)


class Predictor:
    """The models of a finished run, loaded once and asked as often as wanted.

    Args:
        model: A finished run folder.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        PreflightError: The run is not finished or has no model.
        FormatError: A model is damaged.
    """

    def __init__(self, model: Path | str, *, device: str = "auto") -> None:
        from cellwise.stages.cells.spec import Options
        from cellwise.stages.decide.step import score_names
        from cellwise.stages.embed.step import open_fields
        from cellwise.stages.score.step import open_models
        from cellwise.stages.segment.step import open_segmenter

        self._home = RunFolder(Path(model))
        request = fitted_request(Path(model), Path(model), Path(model), device=device, workers=1)
        recipe = request.recipe
        segment, cells = recipe.of_kind("segment")[-1], recipe.of_kind("cells")[-1]
        self._decide = _main_decision(recipe.of_kind("decide"), self._home)
        jobs = partial(_job, self._home.path, request)
        self._segment = open_segmenter(jobs(segment))
        self._cells = Options.of(cells.options)
        wanted = score_names(self._decide.options)
        scores = [step for step in recipe.of_kind("score") if step.name in wanted]
        self._scores: dict[str, Callable[..., pl.DataFrame]] = {
            step.name: open_models(step.options, self._home, request.device) for step in scores
        }
        looked_at = {
            name for step in scores for name in names_of(step.options.get("embeddings", ""))
        }
        self._embed = {
            step.name: open_fields(jobs(step))
            for step in recipe.of_kind("embed")
            if step.name in looked_at
        }
        again = read_json(self._home.reading).get("again", {})
        self._roles = {str(name): str(role) for name, role in again.get("roles", {}).items()}
        self._scales = {key.lower(): text for key, text in learned_scales(self._home).items()}
        self._pixel_sizes = _pixel_sizes(self._home)

    def __call__(
        self, array: npt.ArrayLike, channels: Sequence[str], *, pixel_size: float | None = None
    ) -> pl.DataFrame:
        """Per-cell probabilities for one field.

        Args:
            array: Pixels `[channel, y, x]`: numbers as the images of the run hold them, of their
                type (uint8, uint16, float); or float 0..1, as the models see them.
            channels: A role (`nucleus`, `protein`...) or the run's own channel name per plane.
            pixel_size: Micrometres of a pixel; that of the run's fields where not said.

        Returns:
            One row per cell, columns as in `predictions.parquet`.

        Raises:
            UsageError: The channels do not fit the array, or the pixels do not fit the intensity
                scale that the models have learned, or nobody says how large they are.
            PreflightError: The field cannot be segmented, or lacks a channel of the models.
        """
        from cellwise.stages.cells.step import cells_of
        from cellwise.stages.decide.step import decide_cells

        size = self._pixel_size(pixel_size)
        field = self._field(_checked(array, channels), list(channels), size)
        try:
            masks = self._segment(field)
            cells, crops = cells_of(field, masks, self._cells)
            vectors = {
                name: see(field, masks, cells, crops)
                for name, see in self._embed.items()
                if cells.height
            }
        except InputError as error:
            raise PreflightError(f"predict: {error.reason} {error.remedy}") from error
        scores = {
            name: ask(field, masks, cells, crops, vectors) for name, ask in self._scores.items()
        }
        options, name = self._decide.options, self._decide.name
        found = decide_cells(options, name, self._home, cells, scores.__getitem__)
        extra = [column for column in found.columns if column not in PREDICTIONS.columns]
        return found.select([*PREDICTIONS.columns, *extra]).sort(PREDICTIONS.sort)

    def _pixel_size(self, given: float | None) -> float | None:
        """Micrometres of a pixel, or None where neither the run nor the caller knows.

        Raises:
            UsageError: It is no size, or fields of the run differ and none is given.
        """
        if given is not None:
            if not 0 < given < math.inf:
                raise UsageError(f"predict: pixel_size is above 0 micrometres, not {given}.")
            return given
        sizes = self._pixel_sizes
        known = [size for size in sizes if size is not None]
        if known and len(known) == len(sizes) and known[-1] <= _SAME * known[0]:
            return known[len(known) // 2]
        if len(sizes) > 1 and self._embed:
            listed = ", ".join("unknown" if size is None else f"{size:.4g}" for size in sizes)
            raise UsageError(
                f"predict: fields of {self._home.path.name} have pixels of several sizes ({listed} "
                "micrometres), by which cells are measured. Say the array's: pixel_size=0.3."
            )
        return None

    def _field(
        self, pixels: npt.NDArray[np.generic], names: list[str], pixel_size: float | None
    ) -> Field:
        """The array as a decoded field, its channels in the order in which tables have them."""
        ordered = sorted(names)
        known = name_channels(ordered, self._roles)
        planes = [self._scaled(pixels[names.index(channel.name)], channel) for channel in known]
        return Field(_SITE, np.stack(planes), known, pixel_size)

    def _scaled(self, plane: npt.NDArray[np.generic], channel: Channel) -> npt.NDArray[np.float32]:
        """One channel in 0..1, by the scale that the run was made with."""
        text = self._scales.get(channel.name.lower()) or self._scales.get(channel.key.lower(), "")
        dtype = plane.dtype.name
        scale = None if text in ("", ONE_BY_ONE) else _scale_of(text, dtype)
        if scale is not None and scale.kind in (EIGHT_BIT, COUNTS) and kind_of(dtype) == FLOAT:
            # Of no file of this kind, so it was brought to 0..1 in memory.
            scale = scale_of_type(dtype)
        try:
            return to_unit(plane, scale, channel=channel.name)[0]
        except InputError as error:
            raise UsageError(
                f"predict: {error.reason} The run reads this channel as {text}: give such numbers, "
                "or floats in 0..1."
            ) from error


def _scale_of(text: str, dtype: str) -> Scale:
    return scale_of_type(dtype) if text == BY_TYPE else Scale.parse(text)


def _job(home: Path, request: Request, step: Step) -> Job:
    """What a step of the finished run is asked with: all that it reads is the run's own."""
    return Job(
        run=home,
        images=home,
        name=step.name,
        options=step.options,
        key="",
        seed=request.seed,
        device=request.device,
        fitted=home,
    )


def _pixel_sizes(run: RunFolder) -> list[float | None]:
    """The sizes of pixels that usable fields of a run have, in micrometres; None for unknown."""
    rows = read_table(run.sites, SITES, columns=["pixel_size", "status"])
    found = rows.filter(pl.col("status") == "ok")["pixel_size"].unique().to_list()
    return sorted(found, key=lambda size: size or 0.0)


def _main_decision(steps: Sequence[Step], home: RunFolder) -> Step:
    for step in steps:
        if step.name == step.kind:
            return step
    raise PreflightError(f"{home.path} decides on no cells: its recipe has no plain step 'decide'.")


def _checked(array: npt.ArrayLike, channels: Sequence[str]) -> npt.NDArray[np.generic]:
    pixels = np.asarray(array)
    if pixels.ndim != 3 or pixels.shape[0] != len(channels) or pixels.size == 0:
        raise UsageError(
            f"predict: the array is [channel, y, x]; its shape {pixels.shape} does not go with the "
            f"channels {list(channels)}."
        )
    if pixels.dtype not in _KINDS:
        raise UsageError(
            f"predict: pixels are uint8, uint16 or float, not {pixels.dtype}. Convert the array."
        )
    if not all(channels) or len({name.lower() for name in channels}) < len(channels):
        raise UsageError(f"predict: each channel needs a name of its own, not {list(channels)}.")
    return pixels.astype(np.float32) if pixels.dtype.kind == "f" else pixels
