"""Sites that are learned as one sample: several of a well, and a control of the plate beside them.

Source: the two-site pairs and the pairs of a treated and a control image of the RxRx1 system of Lin
& Lin.
"""

from collections.abc import Sequence

import numpy as np

from cellwise.contracts.batch import Pool, Positions, Sampler, When
from cellwise.domain.screens.wells import NEGATIVE, POSITIVE
from cellwise.errors import BadOption

# Other draws than those of the order, which has the generator of (seed, epoch).
_COMPANY = 1


def in_company(order: Sampler, *, sites: int, control: bool) -> Sampler:
    """Batches of samples `[sample, site]` in the order of `order`.

    With one site each treated site is a sample; with several each treated well is one, of which so
    many sites are drawn in each epoch, all of them and some twice where it has fewer. With a
    control the last site of each sample is one of its plate, drawn by chance; where the plate has
    none, one of its experiment.

    Args:
        order: Which samples meet in a batch.
        sites: Of each sample, 1 or more.
        control: Whether a site of a control well stands beside them.
    """

    def company(pool: Pool, batch: int, when: When) -> list[Positions]:
        rng = np.random.default_rng((when.seed, when.epoch, _COMPANY))
        treated, beside = _roles(pool) if control else (np.arange(len(pool)), None)
        wells = [treated[[k]] for k in range(len(treated))]
        if sites > 1:
            wells = _members(treated, pool.of("well")[treated])
        first = np.array([own[0] for own in wells], np.int64)
        drawn = []
        for chosen in order(pool.part(first), batch, when):
            rows = [_draw(wells[sample], sites, rng) for sample in chosen.tolist()]
            found = np.stack(rows).astype(np.int64)
            if beside is not None:
                found = np.column_stack([found, _controls(pool, found[:, 0], beside, rng)])
            drawn.append(found)
        return drawn

    return company


def _roles(pool: Pool) -> tuple[Positions, Positions]:
    """Which items are treated and which are controls.

    Raises:
        BadOption: One of both is not there.
    """
    names = pool.names.get("well_type", ())
    kinds = [names.index(name) for name in (POSITIVE, NEGATIVE) if name in names]
    known = pool.places.get("well_type", np.full(len(pool), -1))
    is_control = np.isin(known, kinds)
    if len(pool) and (is_control.all() or not is_control.any()):
        there = "all fields lie in control wells" if is_control.all() else "no field lies in one"
        raise BadOption(
            f"task tile: control learns a control well beside each treated one, and {there} that "
            "is learned from. Leave control at 0, and do not leave controls out."
        )
    return np.flatnonzero(~is_control), np.flatnonzero(is_control)


def _members(items: Positions, group: Positions) -> list[Positions]:
    """The items of each group, in the order in which groups first come."""
    _, first, number = np.unique(group, return_index=True, return_inverse=True)
    by_group = np.split(items[np.argsort(number, kind="stable")], np.cumsum(np.bincount(number)))
    return [by_group[k] for k in np.argsort(first, kind="stable").tolist()]


def _draw(own: Positions, count: int, rng: np.random.Generator) -> Positions:
    """So many of a well's sites; where it has fewer, all of them and some twice or more."""
    if count == 1:
        return own[:1]
    if len(own) >= count:
        return np.asarray(rng.choice(own, count, replace=False))
    return np.concatenate([own, rng.choice(own, count - len(own), replace=True)])


def _controls(
    pool: Pool, treated: Positions, controls: Positions, rng: np.random.Generator
) -> Positions:
    """A control for each treated site: of its plate, or of its experiment.

    Raises:
        BadOption: An experiment has none.
    """
    found = []
    for site in treated.tolist():
        own = _beside(pool, site, controls, ("plate", "experiment"))
        if not len(own):
            names, places = pool.names.get("experiment", ()), pool.places.get("experiment")
            number = -1 if places is None else int(places[site])
            where = f"experiment {names[number]}" if number >= 0 else "a field of no experiment"
            raise BadOption(
                f"task tile: no control well is learned from in {where}. Leave control at 0, or "
                "leave out what has no controls."
            )
        found.append(int(rng.choice(own)))
    return np.array(found, np.int64)


def _beside(pool: Pool, site: int, controls: Positions, levels: Sequence[str]) -> Positions:
    for level in levels:
        places = pool.places.get(level)
        if places is not None and places[site] >= 0:
            own: Positions = controls[places[controls] == places[site]]
            if len(own):
                return own
    return controls[:0]
