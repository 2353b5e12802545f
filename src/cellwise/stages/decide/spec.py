"""What the step `decide` declares."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from cellwise.domain.nouns import (
    CELLS,
    DECISION,
    FITTED_DECISION,
    FOLDS,
    PREDICTIONS,
    SCORES,
    SITES,
)
from cellwise.domain.specs import Read, StepOptions, StepSpec
from cellwise.errors import BadOption
from cellwise.registry import Registry, split_spec

_SHELVES = {"by": "cellwise.stages.decide", "adjust": "cellwise.stages.decide.adjust"}


class Options(StepOptions):
    """How scores become probabilities and labels."""

    from_: str | list[str] = Field(alias="from")
    """Names of the score steps; what `combine` makes of them is decided on."""
    by: str | dict[str, Any] = "temperature"
    """The decider, a part of this stage."""
    threshold: float | dict[str, float] = 0.5
    """Probability in 0..1 from which a cell gets a label, one for all classes or a mapping from
    class to value (others 0.5)."""
    field: str | list[str] = ""
    """Names of score steps that say what whole fields show: their rows of sites, or else the
    largest logit among each field's cells; the mean of them is taken."""
    adjust: list[str | dict[str, Any]] = []
    """What is done to the scores before the calibration, in order."""
    level: Literal["", "site", "well", "plate", "experiment"] = ""
    """What probabilities are fitted to: bags of the cells of a site where not said, or of a well, a
    plate, an experiment. Sites of one bag have the same labels and the same fold."""
    combine: Literal["", "logits", "probabilities", "median"] = ""
    """How several score steps become one: the mean of their logits, also where not said, or of
    their probabilities, or the median of their logits."""
    negative: Literal["", "one_minus_max", "product"] = ""
    """The probability of the negative class: one minus the largest of the others, also where not
    said, or the product of one minus each of the others, as if they were independent."""
    weights: list[float] = []
    """The weight of each score step in that mean; equal where not said."""

    @field_validator("threshold", mode="before")
    @classmethod
    def _check_threshold(cls, threshold: Any) -> Any:
        values = threshold.values() if isinstance(threshold, dict) else [threshold]
        if any(
            isinstance(v, bool) or not isinstance(v, int | float) or not 0 <= v <= 1 for v in values
        ):
            raise BadOption(f"decide: a threshold lies in 0..1: {threshold!r}.")
        return threshold

    @model_validator(mode="after")
    def _check(self) -> "Options":
        if not self.scores or not all(self.scores):
            raise BadOption(f"decide: from names score steps, not {self.from_!r}.")
        Registry("calibration", _SHELVES["by"]).check(self.by)
        adjusters = Registry("adjustment", _SHELVES["adjust"])
        for spec in self.adjust:
            adjusters.check(spec)
            name, _ = split_spec(spec)
            if "field" in adjusters.page(name).needs and not self.field:
                raise BadOption(f"decide: {name!r} needs scores of fields, 'field: <score step>'.")
        self._check_weights()
        if not all(self.fields):
            raise BadOption(f"decide: field names score steps, not {self.field!r}.")
        return self

    def _check_weights(self) -> None:
        given, members = self.weights, len(self.scores)
        if given and self.combine == "median":
            raise BadOption("decide: a median takes no weights. Leave them out.")
        if given and (len(given) != members or min(given) < 0 or not any(given)):
            raise BadOption(
                f"decide: weights are one number for each of {members} score steps in 'from', none "
                f"below 0 and not all 0: {given}."
            )

    @property
    def scores(self) -> tuple[str, ...]:
        """The score steps whose mean is decided on."""
        return (self.from_,) if isinstance(self.from_, str) else tuple(self.from_)

    @property
    def fields(self) -> tuple[str, ...]:
        """The score steps that say what whole fields show."""
        if isinstance(self.field, str):
            return (self.field,) if self.field else ()
        return tuple(self.field)


SPEC = StepSpec(
    version=2,
    grain="table",
    options=Options,
    reads=(
        Read(SITES),
        Read(FOLDS, optional=True),
        Read(CELLS),
        Read(FITTED_DECISION, optional=True, under="fitted"),
        Read(SCORES, by=("from", "field"), many=True),
    ),
    writes=(DECISION, PREDICTIONS),
    draws=True,
    late=("level", "combine", "negative", "weights"),
    shelves=_SHELVES,
)
