"""What the step `decide` declares."""

from collections.abc import Mapping
from math import isfinite
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
from cellwise.domain.specs import Content, Read, StepOptions, StepSpec
from cellwise.errors import BadOption
from cellwise.registry import Registry, split_spec
from cellwise.stages.decide.blend.asked import asks_auto

_SHELVES = {
    "by": "cellwise.stages.decide",
    "calibrate": "cellwise.stages.decide",
    "audited": "cellwise.stages.decide",
    "adjust": "cellwise.stages.decide.adjust",
}
AUTO, OTHERS = "auto", "others"
# Deciders that may be fitted to judged cells, of which some count for more than others.
OF_CELLS = ("temperature", "isotonic", "boosting")
# Scores times a weight beyond these, and sums of such, leave the range of numbers.
_LEAST, _MOST = 1e-9, 1e9
NONE_SHARED = (
    "'weights: auto' compares score steps on labelled fields that none of their models has learned "
    "from, and there is none that all of them scored. Networks of one fold each share no such "
    "field: give the weights as numbers, or 'weights: views'."
)


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
    combine: Literal["", "logits", "probabilities", "median", "ranks"] = ""
    """How several score steps become one: the mean of their logits, also where not said, or of
    their probabilities, the median of their logits, or the mean of the ranks of their scores among
    the cells of the run, class by class, as shares in 0..1."""
    calibrate: str | dict[str, Any] = ""
    """A decider that is fitted to each score step by itself, before they become one: networks
    differ in the scale of their scores. Empty takes scores as they are."""
    negative: Literal["", "one_minus_max", "product", "learned"] = ""
    """The probability of the negative class: one minus the largest of the others, also where not
    said; the product of one minus each of the others, as if they were independent; or that product
    on a curve that is `learned` from fields with and without this label."""
    negative_lowers_others: bool = False
    """Whether each other class is multiplied by one minus the probability of the negative class."""
    halves: list[str] = []
    """Two score steps that share no feature or view, by which an adjuster's weight `auto` finds how
    far cells of one field differ; none where no adjuster asks."""
    weights: list[float] | dict[str, list[float]] | Literal["auto", "views"] = []
    """The weight of each score step in that mean; equal where not said. `views` weighs each by how
    many views it takes, `auto` by labelled fields that none of the models has learned from, so that
    members that err in different ways count for more. With `per`, weights for each value of that
    column, and for `others`."""
    per: str = ""
    """A metadata column such as `Metadata_CellLine` whose values have weights of their own: with
    `weights: auto`, or named under `weights`."""

    annotations: str = ""
    """Table of verdicts of people on single cells, a CSV file or `annotations/annotations.parquet`
    of a run: probabilities of classes of which enough cells of its random draw were judged are
    fitted to these, and called audited. Cells whose verdict taught do not count
    (`label.hold_out_random`)."""
    audited: str | dict[str, Any] = ""
    """The decider that is fitted to judged cells, a part of this stage: temperature, also where
    not said, with a bias; isotonic or boosting. Named without `annotations` it says that learning
    again from the page takes its verdicts for this too."""

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
        if self.calibrate:
            Registry("calibration", _SHELVES["by"]).check(self.calibrate)
        self._check_audited()
        self._check_scales()
        adjusters = Registry("adjustment", _SHELVES["adjust"])
        for spec in self.adjust:
            adjusters.check(spec)
            name, _ = split_spec(spec)
            if "field" in adjusters.page(name).needs and not self.field:
                raise BadOption(f"decide: {name!r} needs scores of fields, 'field: <score step>'.")
        self._check_weights()
        self._check_halves()
        if not all(self.fields):
            raise BadOption(f"decide: field names score steps, not {self.field!r}.")
        return self

    def _check_audited(self) -> None:
        if self.audited:
            Registry("calibration", _SHELVES["by"]).check(self.audited)
            name, _ = split_spec(self.audited)
            if name not in OF_CELLS:
                raise BadOption(
                    f"decide: {name!r} is not fitted to judged cells; 'audited' is one of "
                    f"{', '.join(OF_CELLS)}."
                )
        if self.annotations and self.negative_lowers_others:
            raise BadOption(
                "decide: 'negative_lowers_others' changes probabilities after they were fitted to "
                "judged cells. Leave it or 'annotations' out."
            )

    @property
    def by_cells(self) -> str | dict[str, Any]:
        """The decider that is fitted to judged cells."""
        name, own = split_spec(self.audited or "temperature")
        # Without a bias one half stays one half, however rare the class is.
        return {"name": name, "bias": True, **own} if name == "temperature" else self.audited

    def _check_scales(self) -> None:
        if self.calibrate and self.combine == "ranks":
            raise BadOption("decide: ranks are taken of scores as they are. Leave calibrate out.")
        if self.calibrate and len(self.scores) > 1 and self.combine in ("", "logits"):
            raise BadOption(
                "decide: calibrate makes probabilities of each score step: say what is taken of "
                "them, 'combine: probabilities' or 'combine: median'."
            )
        name, own = split_spec(self.by)
        if self.combine == "ranks" and name == "temperature" and not own.get("bias"):
            raise BadOption(
                "decide: the mean of ranks is one half for the middle cell of every class, rare or "
                "not, and a temperature keeps that. Take 'by: {name: temperature, bias: true}'."
            )

    def _check_halves(self) -> None:
        if self.halves and (len(set(self.halves)) != 2 or len(self.halves) != 2):
            raise BadOption(f"decide: halves names two score steps, not {self.halves}.")
        if asks_auto(self.adjust) and not self.halves:
            raise BadOption(
                "decide: a weight 'auto' is found from two score steps that share no feature or "
                "view; name them, 'halves: [<score step>, <score step>]', or give a number."
            )

    def _check_weights(self) -> None:
        given, members = self.weights, len(self.scores)
        if given and self.combine == "median":
            raise BadOption("decide: a median takes no weights. Leave them out.")
        if bool(self.per) != (isinstance(given, dict) or (given == AUTO and bool(self.per))):
            raise BadOption(
                "decide: weights for each value of a column need its name under 'per', and 'per' "
                "needs 'weights: auto' or weights by value."
            )
        listed = given.values() if isinstance(given, dict) else [given] if given else []
        for each in listed:
            if isinstance(each, list) and (
                len(each) != members
                or min(each) < 0
                or not any(each)
                or not all(map(isfinite, each))
            ):
                raise BadOption(
                    f"decide: weights are one number for each of {members} score steps in 'from', "
                    f"none below 0 and not all 0: {each}."
                )
            if isinstance(each, list) and not _LEAST <= max(each) <= _MOST:
                raise BadOption(
                    f"decide: the largest of the weights lies in {_LEAST:g}..{_MOST:g}, as sums of "
                    f"others are no numbers any more: {each}. Shares such as 0.7 and 0.3 do."
                )

    def check_named(self, named: Mapping[str, StepOptions]) -> None:
        """Refuse weights by validation of models that share no field: hours later is too late."""
        if self.weights != AUTO:
            return
        left_out = [
            set(folds)
            for name in self.scores
            for key, options in named.items()
            if key.startswith(f"from: {name} / model: ")
            and (folds := getattr(options, "folds", ()))
        ]
        if left_out and not set.intersection(*left_out):
            raise BadOption(f"decide: {NONE_SHARED}")

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
        Read(SCORES, by=("from", "field", "halves"), many=True),
    ),
    writes=(DECISION, PREDICTIONS),
    draws=True,
    late=(
        "level",
        "combine",
        "negative",
        "weights",
        "calibrate",
        "per",
        "halves",
        "negative_lowers_others",
        "annotations",
        "audited",
    ),
    shelves=_SHELVES,
    contents=(Content("annotations", settings=("audited",)),),
)
