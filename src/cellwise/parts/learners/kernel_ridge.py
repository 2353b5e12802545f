"""Kernel ridge regression: what cells alike in their numbers show, weighted by how much alike.

`k = exp(-gamma d^2 / median d^2)` of standardised numbers; predicted is the mean of the labels and
what the kernel adds. Exact up to `exact` cells, on `landmarks` of them above. Cells that lack
numbers are judged by a model of the numbers that such cells have.

Source: Saunders, Gammerman and Vovk 1998; landmarks of Williams and Seeger 2001; numbers weighted
by their correlation ratio (Fisher 1925), subsets of them as in random subspaces (Ho 1998).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.contracts.learner import Arrays, Fitted, Floats, Learner, Smoother, check_folds
from cellwise.errors import BadOption
from cellwise.parts.learners._columns import class_shares, views_of
from cellwise.parts.learners._kernel import Settings, Sums, fit_sums
from cellwise.parts.learners._per_fold import PerFold
from cellwise.parts.learners._range import into_range
from cellwise.parts.learners._smoothers import ExactSmoother, LandmarkSmoother, Member
from cellwise.parts.learners._viewed import fit_viewed, part_of, restore_viewed

# Share of the numbers that each of several members sees.
_SEEN = 0.6
_RIDGES = (0.5, 1.0, 2.0, 4.0)
_GAMMAS = (0.5, 1.0, 2.0)


def build(
    ridge: float = 0.2,
    gamma: float = 0.5,
    members: int = 1,
    exact: int = 5000,
    landmarks: int = 2000,
    blocks: list[int] | None = None,
    *,
    metric: bool = False,
) -> Learner:
    """Make the learner.

    Args:
        ridge: Pull towards the mean, above 0, in units of a cell of weight 1.
        gamma: Above 0; the larger, the fewer cells count as alike.
        members: Above 1, the mean of so many models, each of a random 60 % of the numbers with
            `ridge` and `gamma` times factors drawn from 1/2 to 4 and 1/2 to 2.
        exact: Above so many cells the model is built on landmarks.
        landmarks: Cells drawn by chance whose kernels are added; more are sharper and slower.
        blocks: How many numbers belong to each part of vectors that are put together of several
            embeddings, so that each part counts as much as any other; `train` says it by itself.
        metric: Weight each number by the root of the share of its variance that lies between the
            classes of the labels that are learned.
    """
    if not (ridge > 0 and gamma > 0):
        raise BadOption(f"learner kernel_ridge: ridge {ridge} and gamma {gamma} lie above 0.")
    if members < 1 or exact < 0 or landmarks < 1:
        raise BadOption(
            "learner kernel_ridge: members and landmarks are at least 1, exact is not negative."
        )
    parts = tuple(blocks or ())
    if any(size < 1 for size in parts):
        raise BadOption(f"learner kernel_ridge: blocks hold at least one number, not {parts}.")
    return _KernelRidge(Settings(ridge, gamma, exact, landmarks), metric, members, parts)


@dataclass(frozen=True, slots=True)
class _KernelRidge:
    settings: Settings
    metric: bool
    members: int
    blocks: tuple[int, ...] = ()

    def fit(self, vectors: Floats, labels: Floats, weights: Floats, seed: int) -> Fitted:
        return fit_viewed(vectors, labels, weights, seed, self._learn, self.blocks)

    def _learn(self, ready: Floats, labels: Floats, weights: Floats, seed: int) -> "_Members":
        scale = np.ones(ready.shape[1], np.float32)
        if self.metric:
            scale = class_shares(ready, labels, weights)
        found = []
        for number, member in enumerate(self.drawn(ready.shape[1], seed)):
            own = scale[member.columns]
            some = ready[:, member.columns]
            some *= own
            sums = fit_sums(some, labels, weights, member.settings, seed + number)
            found.append(_Part(member.columns, own, sums))
        return _Members(tuple(found))

    def drawn(self, numbers: int, seed: int) -> list[Member]:
        """The members' numbers and settings."""
        if self.members == 1:
            return [Member(np.arange(numbers), self.settings)]
        random = np.random.default_rng(seed)
        count = max(1, round(_SEEN * numbers))
        found = []
        for _ in range(self.members):
            columns = np.sort(random.choice(numbers, count, replace=False))
            ridge = self.settings.ridge * float(random.choice(_RIDGES))
            gamma = self.settings.gamma * float(random.choice(_GAMMAS))
            own = Settings(ridge, gamma, self.settings.exact, self.settings.landmarks)
            found.append(Member(columns, own))
        return found

    def out_of_fold(self, vectors: Floats, folds: npt.NDArray[np.int64], seed: int) -> Smoother:
        check_folds(vectors, folds)
        many = len(vectors) > self.settings.exact
        # What labels change in the kernel, or what is large many times over, is made when asked.
        if self.metric or (many and self.members > 1):
            return PerFold(self, vectors, folds, seed)
        views = views_of(vectors, self.blocks)
        members = [self.drawn(len(view.columns), seed) for view, _ in views.parts(vectors[:1])]
        kind = LandmarkSmoother if many else ExactSmoother
        return kind(vectors, folds, views, members, seed)

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> Fitted:
        return restore_viewed(arrays, _Members.restored)


@dataclass(frozen=True, slots=True)
class _Part:
    """One member: its numbers, their weights, its sum of kernels."""

    columns: npt.NDArray[np.int64]
    scale: Floats
    sums: Sums

    def __call__(self, ready: Floats) -> Floats:
        some = ready[:, self.columns]
        some *= self.scale
        return self.sums(some)

    def arrays(self) -> Arrays:
        return {"columns": self.columns, "scale": self.scale, **self.sums.arrays()}


@dataclass(frozen=True, slots=True)
class _Members:
    """The mean of several."""

    parts: tuple[_Part, ...]

    def __call__(self, ready: Floats) -> Floats:
        total = self.parts[0](ready)
        for part in self.parts[1:]:
            total += part(ready)
        return into_range(total / np.float32(len(self.parts)))

    def arrays(self) -> Arrays:
        return {
            f"{number}.{name}": array
            for number, part in enumerate(self.parts)
            for name, array in part.arrays().items()
        }

    @classmethod
    def restored(cls, arrays: Arrays) -> "_Members":
        count = 1 + max(int(name.split(".")[0]) for name in arrays)
        parts = (part_of(arrays, f"{number}.") for number in range(count))
        return cls(tuple(_Part(own["columns"], own["scale"], Sums.restored(own)) for own in parts))
