"""A decision: everything that turns scores into probabilities and labels, as one JSON file."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.contracts.curves import Curve, Logistic, curve_of_json, curve_to_json
from cellwise.domain.classes import ClassList
from cellwise.domain.units import pieces
from cellwise.errors import FormatError
from cellwise.stages.decide._combination import Combination, How
from cellwise.stages.decide.audited.along import along
from cellwise.stages.decide.negative.rules import ONE_MINUS_MAX, Negative

FORMAT = 1
_OWN_WAY = ("format", "curve", "member_curves", "group_weights", "audited_curves")
CALIBRATIONS = ("weak", "audited", "none")


@dataclass(frozen=True, slots=True)
class Decision:
    """What was fitted, and on how much.

    Args:
        classes: All class names, in order of the outputs.
        negative: The class of cells that show none of the others, or None.
        temperatures: Per positive class, in their order.
        biases: Per positive class.
        thresholds: Per class of `classes`; a probability at or above it gives the label.
        calibration: `weak`, `audited` or `none`.
        pooling: How cells were pooled to fields while fitting.
        by: Name of the decider.
        scores: Names of the score sets whose logits are averaged.
        n_fields: Labelled fields used.
        n_cells: Their cells.
        positives: Fields that carry each positive class.
        negative_rule: How it gets its probability, see `negative.rules`.
        negative_fit: T and b of that rule where it is learned; empty for the others.
        negative_lowers: Whether other classes are multiplied by one minus it.
        field: Names of the scores of whole fields that the adjusters used; empty for none.
        adjust: What was done to the scores before the calibration, as JSON, in order.
        sets: Which labels fields had together, where an adjuster asked: see `context.label_sets`.
        curve: In place of temperatures and biases, where the decider found one.
        combine: How several score sets were made one.
        weights: The weight of each; empty for equal ones.
        member_curves: What the logits of each went through before that; empty for nothing.
        per: The metadata column whose values have weights of their own; empty for none.
        group_weights: Those weights, by value.
        variability: By positive class how far cells of one field differ, 0..1, where an adjuster's
            weight was found from it; None for a class that does not vary.
        audited_curves: Per positive class the curve that was fitted to judged cells, over the logit
            of what was fitted to fields; None for a class without one, empty for none at all.
        audit: By class which calibration it has and on how many judged cells, see
            `audited.fit`; None where nobody asked for it.
    """

    classes: tuple[str, ...]
    negative: str | None
    temperatures: tuple[float, ...]
    biases: tuple[float, ...]
    thresholds: tuple[float, ...]
    calibration: str
    pooling: str
    by: str
    scores: tuple[str, ...]
    n_fields: int
    n_cells: int
    positives: tuple[int, ...]
    negative_rule: str = ONE_MINUS_MAX
    field: str = ""
    adjust: tuple[str, ...] = ()
    sets: dict[str, Any] | None = None
    curve: Curve | None = None
    combine: How = "logits"
    weights: tuple[float, ...] = ()
    member_curves: tuple[Curve, ...] = ()
    per: str = ""
    group_weights: tuple[tuple[str, tuple[float, ...]], ...] = ()
    variability: dict[str, float | None] | None = None
    negative_fit: tuple[float, ...] = ()
    negative_lowers: bool = False
    audited_curves: tuple[Curve | None, ...] = ()
    audit: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        count = len(self.class_list.positive)
        for name in ("temperatures", "biases", "positives"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"A decision over {count} positive classes needs {count} {name}.")
        if len(self.thresholds) != len(self.classes):
            raise ValueError("A decision needs one threshold per class.")
        if any(not value > 0 for value in self.temperatures):
            raise ValueError("Temperatures are above 0.")
        if self.calibration not in CALIBRATIONS:
            raise ValueError(f"Unknown {self.calibration!r}.")
        if self.audited_curves and len(self.audited_curves) != count:
            raise ValueError(
                f"A decision over {count} positive classes needs a curve or None each."
            )
        _ = self.rest

    @property
    def combination(self) -> Combination:
        """How its score sets become one."""
        return Combination(self.combine, self.weights, self.member_curves, self.group_weights)

    @property
    def as_curve(self) -> Curve:
        """From a logit to what was fitted to labels of fields, once it is held in 0..1."""
        return self.curve or Logistic(self.temperatures, self.biases)

    @property
    def rest(self) -> Negative:
        """How the negative class gets its probability."""
        temperature, bias = self.negative_fit or (1.0, 0.0)
        return Negative(self.negative_rule, temperature, bias, self.negative_lowers)

    @property
    def class_list(self) -> ClassList:
        """The classes with their negative."""
        return ClassList(self.classes, self.negative)

    def probabilities(
        self, logits: npt.NDArray[np.floating[Any]], field: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """`[cell, class]` over all classes for `[cell, positive class]` logits.

        Args:
            logits: Adjusted scores.
            field: `[cell]`, a number for the field of each cell.
        """
        curve = self.as_curve
        chance = np.empty(logits.shape, np.float32)
        for rows in pieces(field, *logits.shape):
            said = np.clip(curve(logits[rows].astype(np.float64), field[rows]), 0, 1)
            chance[rows] = along(self.audited_curves, said)
        if self.negative is None:
            return chance
        others, rest = self.rest(chance)
        return np.insert(others, self.classes.index(self.negative), rest, axis=1)

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        content = {"format": FORMAT, **asdict(self)}
        content["curve"] = None if self.curve is None else curve_to_json(self.curve)
        content["group_weights"] = {name: list(own) for name, own in self.group_weights}
        content["member_curves"] = tuple(curve_to_json(curve) for curve in self.member_curves)
        content["audited_curves"] = tuple(
            None if curve is None else curve_to_json(curve) for curve in self.audited_curves
        )
        # As decisions were written before there was such a thing.
        plain: dict[str, Any] = {
            "sets": None, "curve": None, "combine": "logits", "weights": (), "member_curves": (),
            "per": "", "group_weights": {}, "variability": None,
            "negative_fit": (), "negative_lowers": False, "audited_curves": (), "audit": None,
        }  # fmt: skip
        return {k: v for k, v in content.items() if k not in plain or v != plain[k]}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Decision":
        """Read back what `to_json` gave.

        Raises:
            FormatError: A newer format, or fields that do not fit.
        """
        version = int(content.get("format", 0))
        if version > FORMAT:
            raise FormatError(f"The decision was written by a newer cellwise (format {version}).")
        try:
            fields: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in content.items()
                if name not in _OWN_WAY
            }
            if content.get("curve") is not None:
                fields["curve"] = curve_of_json(content["curve"])
            members = content.get("member_curves") or ()
            fields["member_curves"] = tuple(curve_of_json(each) for each in members)
            fields["audited_curves"] = tuple(
                None if each is None else curve_of_json(each)
                for each in content.get("audited_curves") or ()
            )
            weights = content.get("group_weights") or {}
            fields["group_weights"] = tuple((name, tuple(own)) for name, own in weights.items())
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"The decision cannot be read: {error}") from error
