"""Each cell is in one state: one label of its field or, less likely, one that it was not given.

The chance of a state is `(F / mean) ** temper` times the share of the state in the field. Shares
lie near even ones: `base` is 1 for a given label; for another one `c o`, c being how often fields
with like labels have it and o how often a class is missed for once that it is given; and a little
for any. o stays as it was chosen: estimated from the rounds' own labels it fed what they had
mistaken for a missed label. Labels that no cell of the field shows are raised.

Source: expectation maximisation of Jin and Ghahramani 2002 (NIPS 15) with a Dirichlet prior on the
shares of a field; figures of the prototype in `docs/explain/posterior.md`.
"""

from dataclasses import dataclass

import numpy as np

from cellwise.stages.label.posterior._fields import Fields, Floats64, Smooth, company

_ROUNDS_OF_SHARES = 30
_CLOSE = 1e-3
# Share of a class below which its chance is not lifted further.
_LEAST_SHARE = 0.005
_FLOOR = 0.002
_COVERED = 0.7
_RAISE = 1.5
_RAISES = 10


@dataclass(frozen=True, slots=True)
class OneState:
    """The constants of one run of rounds.

    Args:
        rounds: At least 1.
        temper: Exponent of what is found, above 0.
        even: Pull of a field's shares to even ones: cells per label.
        odds: Chance that a class is missed beside the chance that it is given.
        missed: Whether a cell may show what its field was not given.
        cover: Whether labels that no cell shows are raised.
        lift: Whether what is found of a class is held against its mean.
    """

    rounds: int = 10
    temper: float = 1.5
    even: float = 40.0
    odds: float = 0.3
    missed: bool = True
    cover: bool = True
    lift: bool = True


def one_state(fields: Fields, smooth: Smooth, options: OneState) -> Floats64:
    """`[cell, class]` in 0..1; rows of cells in fields with labels add up to at most 1.

    They add up to 1 but where people saw several classes or none in a cell, and where a random
    draw tells how many cells show none: then that is a state of its own.
    """
    base = _base(fields, options)
    states = fields if fields.told is None else _with_none(fields)
    labels = states.judged(_first(fields, states, base))
    for _ in range(options.rounds):
        found = np.maximum(smooth(labels.astype(np.float32)).astype(np.float64), 1e-3)
        share = np.maximum(labels.mean(0), _LEAST_SHARE) if options.lift else 1.0
        lifted = np.maximum(found / share, 1e-6) ** options.temper
        labels = states.judged(_shared(states, lifted, base, options))
    return labels[:, : fields.given.shape[1]]


def _with_none(fields: Fields) -> Fields:
    """The same with a last state that no field is given: to show no class."""
    assert fields.verdict is not None
    shows = fields.verdict
    none = np.where(np.isfinite(shows).all(1), 1.0, np.nan)
    none = np.where((shows == 1).any(1), 0.0, none)
    # Fields without a label show none.
    none = np.where(np.isnan(none) & ~fields.own.any(1), 1.0, none)
    given = np.pad(fields.given, ((0, 0), (0, 1)))
    return Fields(fields.field, given, np.c_[shows, none].astype(np.float32), fields.told)


def _first(fields: Fields, states: Fields, base: Floats64) -> Floats64:
    """What cells show before any is looked at: the labels of their field, all alike or as told."""
    if states is fields:
        return fields.even()
    first = np.where(states.given, base, 0)
    first[:, -1] = base[:, -1]
    return np.asarray((first / first.sum(1, keepdims=True))[fields.field])


def _base(fields: Fields, options: OneState) -> Floats64:
    """`[field, state]`: what a class weighs in a field before any cell is looked at.

    Where a random draw tells, in shares of cells, with the state of none last.
    """
    told = fields.told
    missed = np.zeros(fields.given.shape)
    if options.missed:
        odds = options.odds if told is None else told.missed
        missed = np.asarray(np.minimum(company(fields.given) * odds, 1) + _FLOOR)
    if told is None:
        return np.where(fields.given, 1.0, missed)
    base = np.where(fields.given, told.shown, missed)
    none = base.sum(1) * told.none / (1 - told.none)
    return np.asarray(np.c_[base, np.where(fields.given.any(1), none, 1.0)])


def _shared(fields: Fields, lifted: Floats64, base: Floats64, options: OneState) -> Floats64:
    """Chances of the states of each cell, shares of its field fitted to its cells."""
    count = fields.given.sum(1)
    total = np.maximum(base.sum(1, keepdims=True), 1e-12)
    even = base / total
    prior = options.even * even * count[:, None]
    shares = even.copy()
    chance = np.zeros_like(lifted)
    some = count[fields.field] > 0
    cells, field = _allowed(fields, lifted)[some], fields.field[some]
    for _ in range(_ROUNDS_OF_SHARES):
        own = cells * shares[field]
        own /= np.maximum(own.sum(1, keepdims=True), 1e-300)
        chance[some] = own
        new = fields.sums(chance) + prior
        new /= np.maximum(new.sum(1, keepdims=True), 1e-12)
        moved = float(np.abs(new - shares).max(initial=0))
        shares = new
        if moved < _CLOSE:
            break
    return _covered(fields, chance) if options.cover else chance


def _allowed(fields: Fields, lifted: Floats64) -> Floats64:
    """What speaks for each state of cells: for those that a person saw alone, for none refused."""
    if fields.verdict is None:
        return lifted
    seen = fields.verdict == 1
    refused = (fields.verdict == 0) | (seen.any(1, keepdims=True) & ~seen)
    return np.where(refused, 0.0, np.where(seen, 1.0, lifted))


def _covered(fields: Fields, chance: Floats64) -> Floats64:
    """Given labels that less than one cell shows are raised in all cells of the field."""
    cells = fields.sums(np.ones(len(fields.field)))
    enough = (cells >= fields.given.sum(1))[:, None] & fields.given
    for _ in range(_RAISES):
        shown = shown_somewhere(fields, chance)
        low = enough & (shown < _COVERED) & (cells > 0)[:, None]
        if not low.any():
            break
        raised = chance * np.where(low, _RAISE, 1.0)[fields.field]
        touched = low.any(1)[fields.field]
        total = np.maximum(raised.sum(1, keepdims=True), 1e-300)
        chance = np.where(touched[:, None], raised / total, chance)
    return chance


def shown_somewhere(fields: Fields, chance: Floats64) -> Floats64:
    """`[field, class]`: probability that at least one cell of the field shows the class."""
    return 1 - np.exp(fields.sums(np.log1p(-np.minimum(chance, 0.999))))
