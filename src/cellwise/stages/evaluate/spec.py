"""What the step `evaluate` declares."""

from typing import Any, Literal

from pydantic import model_validator

from cellwise.domain.nouns import (
    ALL_PREDICTIONS,
    CELLS,
    CURATION,
    DECISION,
    DECISIONS,
    EVALUATION,
    FOLDS,
    METRICS,
    PROFILES,
    SITES,
    TREATMENTS,
    WELLS,
)
from cellwise.domain.specs import Read, StepOptions, StepSpec
from cellwise.errors import BadOption


class Options(StepOptions):
    """What is measured, and how surely."""

    pooling: Literal["mean", "noisy_or", "max"] = "mean"
    """How the cells of a field are pooled for ranking: `mean`, `noisy_or` or `max`."""
    draws: int = 500
    """Bootstrap draws of every interval."""
    negative_control: str = ""
    """Name of the decide step of a control model (without the protein channel); its well figures
    get the prefix `negative_control_`."""

    treatments: str = ""
    """Name of the assign step whose answers are judged, in place of cells and fields."""
    profiles: str = ""
    """Name of the profile step whose vectors of wells are judged; without `treatments` beside cells
    and fields."""

    profiles_before: str = ""
    """Name of a profile step of the same vectors with `normalise: none`: what they say of batches
    and replicates before the batch was taken out stands beside `profiles`."""

    @property
    def judges_cells(self) -> bool:
        """Whether cells and fields are judged."""
        return not self.treatments

    @model_validator(mode="before")
    @classmethod
    def _check_draws(cls, values: Any) -> Any:
        draws = values.get("draws", 1) if isinstance(values, dict) else 1
        if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
            raise BadOption(f"evaluate: draws is a whole number of at least 1, not {draws!r}.")
        return values

    @model_validator(mode="after")
    def _check_profiles(self) -> "Options":
        if self.profiles_before and not self.profiles:
            raise BadOption("evaluate: profiles_before stands beside profiles; give both.")
        return self


SPEC = StepSpec(
    version=3,
    grain="table",
    options=Options,
    reads=(
        Read(SITES),
        Read(FOLDS, optional=True),
        Read(CELLS, when="judges_cells"),
        Read(ALL_PREDICTIONS, under="predictions", when="judges_cells"),
        Read(WELLS, under="wells", when="judges_cells"),
        Read(DECISIONS, under="decisions", when="judges_cells"),
        Read(DECISION, by=("negative_control",), optional=True, under="-"),
        Read(TREATMENTS, by=("treatments",)),
        Read(PROFILES, by=("profiles",)),
        Read(PROFILES, by=("profiles_before",), under="profiles_before"),
        Read(CURATION, optional=True, late=True, when="judges_cells"),
    ),
    late=("treatments", "profiles", "profiles_before"),
    writes=(METRICS, EVALUATION),
    draws=True,
)
