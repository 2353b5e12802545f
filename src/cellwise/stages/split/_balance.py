"""Spread groups over folds so that every class is shared out evenly.

The start is iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011, "On the stratification of
multi-label data") on counts per group instead of single samples: rarest class first, within it the
largest groups first, each to the fold that still wants most of that class. Then single groups are
moved and pairs are swapped between folds while the cost falls.

The cost of an assignment is `sum over classes and folds (share - 1/folds)^2`, where `share` is the
part of the class's sites that lies in the fold and the sites themselves count as one more class;
every fold that a class misses altogether costs more than all of this together.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_SMALLEST_GAIN = 1e-10
# Above this many groups a round looks at a sample of them: a pair table of all would not fit.
_MOST_PER_ROUND = 600


@dataclass(frozen=True, slots=True)
class _Balance:
    """Shares and presence of each class in each group, the size as last column."""

    share: Floats
    present: Floats
    folds: int

    @property
    def missing_cost(self) -> float:
        return float(self.share.shape[1] + 1)


def spread_groups(
    counts: Counts, sizes: Counts, *, folds: int, seed: int, restarts: int, rounds: int
) -> npt.NDArray[np.int64]:
    """Fold of each group.

    Args:
        counts: `[group, class]`, how many sites of the group carry the class.
        sizes: `[group]`, how many labelled sites the group has, at least 1 each.
        folds: How many folds.
        seed: Settles ties and samples.
        restarts: How many greedy starts; the cheapest end is taken.
        rounds: Most moves and swaps per start.
    """
    balance = _make_balance(counts, sizes, folds)
    best: npt.NDArray[np.int64] | None = None
    lowest = np.inf
    for restart in range(max(1, restarts)):
        random = np.random.default_rng([seed, restart])
        start = _greedy(counts, sizes, folds, random)
        found = _improve(start, balance, rounds, random)
        price = _cost(found, balance)
        if price < lowest - _SMALLEST_GAIN or best is None:
            best, lowest = found, price
    return best if best is not None else np.zeros(len(sizes), np.int64)


def imbalance(counts: Counts, sizes: Counts, fold: npt.NDArray[np.int64], *, folds: int) -> float:
    """The cost of an assignment as the module describes it; 0 is perfect."""
    return _cost(fold, _make_balance(counts, sizes, folds))


def _make_balance(counts: Counts, sizes: Counts, folds: int) -> _Balance:
    table = np.column_stack([counts, sizes]).astype(np.float64)
    table = table[:, table.sum(axis=0) > 0]
    return _Balance(table / table.sum(axis=0), (table > 0).astype(np.float64), folds)


def _greedy(
    counts: Counts, sizes: Counts, folds: int, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    wanted = np.tile(counts.sum(axis=0) / folds, (folds, 1))
    room = np.full(folds, sizes.sum() / folds)
    fold = np.full(len(sizes), -1, np.int64)
    tie_group, tie_fold = random.permutation(len(sizes)), random.permutation(folds)
    while (fold < 0).any():
        open_groups = np.flatnonzero(fold < 0)
        left = counts[open_groups].sum(axis=0)
        rarest = int(np.argmin(np.where(left > 0, left, np.inf))) if left.any() else None
        key = sizes if rarest is None else counts[:, rarest]
        todo = open_groups[key[open_groups] > 0]
        for group in todo[np.lexsort((tie_group[todo], -sizes[todo], -key[todo]))]:
            wish = room if rarest is None else wanted[:, rarest]
            target = int(np.lexsort((tie_fold, -room, -wish))[0])
            fold[group] = target
            wanted[target] -= counts[group]
            room[target] -= sizes[group]
    return fold


def _cost(fold: npt.NDArray[np.int64], balance: _Balance) -> float:
    held, seen = _totals(fold, balance)
    uneven = float(((held - 1 / balance.folds) ** 2).sum())
    return uneven + balance.missing_cost * float((seen == 0).sum())


def _totals(fold: npt.NDArray[np.int64], balance: _Balance) -> tuple[Floats, Floats]:
    member = (fold[None, :] == np.arange(balance.folds)[:, None]).astype(np.float64)
    return member @ balance.share, member @ balance.present


def _improve(
    fold: npt.NDArray[np.int64], balance: _Balance, rounds: int, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    fold = fold.copy()
    groups = np.arange(len(fold))
    for _ in range(rounds):
        if len(fold) > _MOST_PER_ROUND:
            groups = np.sort(random.choice(len(fold), _MOST_PER_ROUND, replace=False))
        held, seen = _totals(fold, balance)
        gain, first, second, target = min(
            _best_move(fold, groups, balance, held, seen),
            _best_swap(fold, groups, balance, held, seen),
        )
        if gain > -_SMALLEST_GAIN:
            break
        source = fold[first]
        fold[first] = target
        if second >= 0:
            fold[second] = source
    return fold


def _best_move(
    fold: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    balance: _Balance,
    held: Floats,
    seen: Floats,
) -> tuple[float, int, int, int]:
    """(change of cost, group, -1, new fold) of the best single move."""
    share, present, source = balance.share[groups], balance.present[groups], fold[groups]
    # (a - s)^2 + (b + s)^2 - a^2 - b^2 = 2 s^2 - 2 s a + 2 s b
    change = 2 * (share**2).sum(axis=1)[:, None] + 2 * share @ held.T
    change -= 2 * (share * held[source]).sum(axis=1)[:, None]
    lost = (present * (seen[source] == 1)).sum(axis=1)[:, None]
    won = present @ (seen == 0).astype(np.float64).T
    change += balance.missing_cost * (lost - won)
    change[np.arange(len(groups)), source] = 0.0
    row, target = np.unravel_index(int(change.argmin()), change.shape)
    return float(change[row, target]), int(groups[row]), -1, int(target)


def _best_swap(
    fold: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    balance: _Balance,
    held: Floats,
    seen: Floats,
) -> tuple[float, int, int, int]:
    """(change of cost, group, its partner, the partner's fold) of the best swap of a pair."""
    best = (0.0, 0, -1, int(fold[0]))
    for a in range(balance.folds):
        for b in range(a + 1, balance.folds):
            left, right = groups[fold[groups] == a], groups[fold[groups] == b]
            if not len(left) or not len(right):
                continue
            change = _swap_changes(left, right, balance, (held[a], held[b]), (seen[a], seen[b]))
            i, j = np.unravel_index(int(change.argmin()), change.shape)
            best = min(best, (float(change[i, j]), int(left[i]), int(right[j]), b))
    return best


def _swap_changes(
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    balance: _Balance,
    held: tuple[Floats, Floats],
    seen: tuple[Floats, Floats],
) -> Floats:
    """Change of cost `[left, right]` when a group of fold a and one of fold b change places."""
    one, two = balance.share[left], balance.share[right]
    gap = held[0] - held[1]
    # With d = one - two: 2 d^2 - 2 d (a - b).
    squares = (one**2).sum(axis=1)[:, None] + (two**2).sum(axis=1)[None, :] - 2 * one @ two.T
    change = 2 * squares - 2 * ((one @ gap)[:, None] - (two @ gap)[None, :])
    here, there = balance.present[left], balance.present[right]
    leave_a = (seen[0] == 1).astype(np.float64) - (seen[1] == 0)
    leave_b = (seen[1] == 1).astype(np.float64) - (seen[0] == 0)
    lost = (here @ leave_a)[:, None] + (there @ leave_b)[None, :]
    lost -= (here * (leave_a + leave_b)) @ there.T
    swapped: Floats = change + balance.missing_cost * lost
    return swapped
