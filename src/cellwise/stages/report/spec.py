"""What the step `report` declares."""

from pydantic import model_validator

from cellwise.domain.nouns import (
    ALL_PREDICTIONS,
    ANNOTATIONS,
    CANDIDATES,
    CELLS,
    CLASS_MAPS,
    CURATION,
    DECISION,
    DECISIONS,
    EVALUATION,
    FOLDS,
    METRICS,
    PIXELS,
    READING,
    RECIPE,
    REPORT,
    SET_ASIDE,
    SITES,
    SPLIT,
    WELLS,
)
from cellwise.domain.specs import Noun, Read, StepOptions, StepSpec
from cellwise.errors import BadOption


class Options(StepOptions):
    """What the page shows."""

    sites: int = 24
    """Fields shown with their outlines, at most 60."""
    gallery: int = 12
    """Cells per row of a gallery, at most 40."""
    negative_control: str = ""
    """Name of the decision of the model without the protein channel, whose predictions lie in
    `predictions_<name>.parquet`; empty for none."""

    @model_validator(mode="after")
    def _check(self) -> "Options":
        if not 0 <= self.sites <= 60:
            raise BadOption(f"report: sites lies between 0 and 60, not {self.sites}.")
        if not 0 <= self.gallery <= 40:
            raise BadOption(f"report: gallery lies between 0 and 40, not {self.gallery}.")
        return self


def _if_there(noun: Noun, under: str) -> Read:
    return Read(noun, optional=True, under=under)


SPEC = StepSpec(
    version=3,
    grain="table",
    options=Options,
    reads=(
        Read(SITES),
        _if_there(FOLDS, "folds"),
        _if_there(CELLS, "cells"),
        _if_there(ALL_PREDICTIONS, "predictions"),
        _if_there(WELLS, "wells"),
        _if_there(DECISIONS, "decisions"),
        Read(READING, under="beside"),
        *(_if_there(noun, "beside") for noun in (PIXELS, METRICS, SPLIT, EVALUATION)),
        _if_there(CLASS_MAPS, "maps"),
        Read(CURATION, optional=True, late=True),
        _if_there(CANDIDATES, "candidates"),
        Read(ANNOTATIONS, optional=True, late=True),
        Read(RECIPE),
        Read(SET_ASIDE, under="errors"),
        Read(DECISION, by=("negative_control",), optional=True, under="-"),
    ),
    writes=(REPORT,),
    draws=True,
)
