"""The methods by name: what each makes of fields and of what cells of other groups say."""

from collections.abc import Callable
from functools import partial

from cellwise.stages.label.posterior._evidence import Start
from cellwise.stages.label.posterior._fields import Fields, Floats64
from cellwise.stages.label.posterior.mixture import mixture
from cellwise.stages.label.posterior.one_state import one_state
from cellwise.stages.label.posterior.ratio import ratio

Method = Callable[[Fields, Start], Floats64]

# Labels stand still after fewer rounds where cells do not have one state each.
_ROUNDS = 4


def _ratio(fields: Fields, start: Start, *, compete: float = 0.0) -> Floats64:
    rounds = min(_ROUNDS, start.rounds)
    return ratio(fields, start.smooth, rounds=rounds, compete=compete)


def _one_state(fields: Fields, start: Start) -> Floats64:
    return one_state(fields, start.smooth, start.one_state)


def _mixture(fields: Fields, start: Start) -> Floats64:
    return mixture(fields, start.smooth, rounds=min(_ROUNDS, start.rounds))


def _inherit(fields: Fields, start: Start) -> Floats64:
    return fields.judged(fields.own.astype(float))


def competing(exponent: float) -> Method:
    """The ratio with this exponent of competition."""
    return partial(_ratio, compete=exponent)


INHERIT = "inherit"
ONE_STATE = "one_state"
# What is heard untried: it was not below inheriting by more than .01 on any world tried.
UNTRIED = "soft_ratio"
ALONE: dict[str, Method] = {
    "soft_ratio": _ratio,
    "ratio_competing": competing(0.5),
    ONE_STATE: _one_state,
    "mixture": _mixture,
}
# What the hedge may be made of, and how much each counts where nothing speaks for more.
HEDGED: dict[str, tuple[Method, float]] = {
    INHERIT: (_inherit, 1.0),
    "soft_ratio": (_ratio, 1.0),
    "full_competition": (competing(1.0), 1.0),
    ONE_STATE: (_one_state, 1.0),
}
EXPONENTS = (0.0, 0.5, 1.0)
