"""The curves by which a decider may turn scores into probabilities, beside a plain temperature.

A curve is plain numbers, so that a decision stays a readable file and is applied to new images
without what it was fitted with.
"""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Rows = tuple[tuple[float, ...], ...]

# A field whose numbers differ by less holds one number.
_LEAST_SPREAD = 1e-12


class Curve(Protocol):
    """`[cell, class]` logits to numbers that are probabilities once they are held in 0..1."""

    def __call__(self, logits: Floats, field: Numbers) -> Floats:
        """Values of the same shape; `field` numbers the field of each cell."""
        ...


@dataclass(frozen=True, slots=True)
class Logistic:
    """`sigmoid(logit / temperature + bias)` per class."""

    temperatures: tuple[float, ...]
    biases: tuple[float, ...]

    def __call__(self, logits: Floats, field: Numbers) -> Floats:
        """See `Curve`."""
        return np.asarray(expit(logits / np.array(self.temperatures) + np.array(self.biases)))


@dataclass(frozen=True, slots=True)
class Steps:
    """A constant between neighbouring edges, per class, or one row of both for all classes.

    Args:
        edges: Per class, in rising order; a logit equal to an edge lies below it.
        values: Per class, one more than its edges.
    """

    edges: Rows
    values: Rows

    def __post_init__(self) -> None:
        for edges, values in zip(self.edges, self.values, strict=True):
            if len(values) != len(edges) + 1 or list(edges) != sorted(edges):
                raise ValueError("Steps have rising edges, and one value more than edges.")

    def __call__(self, logits: Floats, field: Numbers) -> Floats:
        """See `Curve`."""
        result = np.empty_like(logits)
        for c in range(logits.shape[1]):
            row = 0 if len(self.edges) == 1 else c
            place = np.searchsorted(np.array(self.edges[row]), logits[:, c], side="left")
            result[:, c] = np.array(self.values[row])[place]
        return result


@dataclass(frozen=True, slots=True)
class Lines:
    """Straight lines between points, per class, or one row of both for all classes.

    Args:
        points: Logits per class, in rising order; beyond the first and the last the line is flat.
        values: Per class, one for each point.
    """

    points: Rows
    values: Rows

    def __post_init__(self) -> None:
        for points, values in zip(self.points, self.values, strict=True):
            if not points or len(values) != len(points) or list(points) != sorted(points):
                raise ValueError("Lines have rising points, each with one value.")

    def __call__(self, logits: Floats, field: Numbers) -> Floats:
        """See `Curve`."""
        result = np.empty_like(logits)
        for c in range(logits.shape[1]):
            row = 0 if len(self.points) == 1 else c
            result[:, c] = np.interp(logits[:, c], self.points[row], self.values[row])
        return result


@dataclass(frozen=True, slots=True)
class InField:
    """`sigmoid(factor * (scaled - shift))`, scaled over all cells and classes of each field.

    Scaled by median and distance of the quartiles where `robust`, else by mean and standard
    deviation; numbers of a field that are all equal are scaled to 0.
    """

    factor: float
    shift: float
    robust: bool

    def __call__(self, logits: Floats, field: Numbers) -> Floats:
        """See `Curve`."""
        result = np.empty_like(logits)
        order = np.argsort(field, kind="stable")
        starts = np.flatnonzero(np.diff(field[order])) + 1
        for rows in np.split(order, starts) if len(order) else ():
            own = logits[rows]
            if self.robust:
                low, centre, high = np.percentile(own, (25, 50, 75))
                spread = high - low
            else:
                centre, spread = own.mean(), own.std()
            scaled = (own - centre) / (spread if spread > _LEAST_SPREAD else 1.0)
            result[rows] = expit(self.factor * (scaled - self.shift))
        return result


@dataclass(frozen=True, slots=True)
class Mixture:
    """A weighted mean of curves.

    Args:
        curves: Two or more.
        weights: One for each, at least 0, adding up to 1.
    """

    curves: tuple[Curve, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.curves) != len(self.weights) or not np.isclose(sum(self.weights), 1):
            raise ValueError("A mixture has one weight per curve, and they add up to 1.")

    def __call__(self, logits: Floats, field: Numbers) -> Floats:
        """See `Curve`."""
        total = np.zeros_like(logits)
        for curve, weight in zip(self.curves, self.weights, strict=True):
            total += weight * curve(logits, field)
        return total

    def to_json(self) -> dict[str, Any]:
        """As it stands in a file."""
        inner = [curve_to_json(curve) for curve in self.curves]
        return {"curves": inner, "weights": list(self.weights)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read back what `to_json` gave."""
        inner = tuple(curve_of_json(each) for each in content["curves"])
        return cls(inner, tuple(content["weights"]))


_KINDS: dict[str, type[Any]] = {
    "logistic": Logistic,
    "steps": Steps,
    "lines": Lines,
    "in_field": InField,
    "mixture": Mixture,
}


def curve_to_json(curve: Curve) -> dict[str, Any]:
    """The numbers of a curve with its kind.

    Raises:
        TypeError: A curve that no file can hold: of none of the kinds above.
    """
    for kind, type_ in _KINDS.items():
        if isinstance(curve, type_):
            inner = (
                curve.to_json()
                if isinstance(curve, Mixture)
                else {name: getattr(curve, name) for name in type_.__dataclass_fields__}
            )
            return {"kind": kind, **inner}
    raise TypeError(f"A decision holds curves of the kinds {', '.join(_KINDS)}, not {curve!r}.")


def curve_of_json(content: dict[str, Any]) -> Curve:
    """Read back what `curve_to_json` gave.

    Raises:
        ValueError: An unknown kind, or numbers that are no such curve.
    """
    kind = content.get("kind")
    type_ = _KINDS.get(str(kind))
    if type_ is None:
        raise ValueError(f"Unknown curve {kind!r}.")
    if type_ is Mixture:
        return Mixture.from_json(content)
    try:
        found: Curve = type_(**{k: _tuples(v) for k, v in content.items() if k != "kind"})
    except TypeError as error:
        raise ValueError(f"A curve {kind!r} cannot be read: {error}") from error
    return found


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
