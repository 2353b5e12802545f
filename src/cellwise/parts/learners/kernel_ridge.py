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

from cellwise.contracts.learner import Arrays, Floats, Learner, Smoother, check_folds, check_learned
from cellwise.errors import BadOption
from cellwise.parts.learners._columns import View, Views, class_shares, views_of
from cellwise.parts.learners._kernel import Settings, Sums, fit_sums
from cellwise.parts.learners._per_fold import PerFold
from cellwise.parts.learners._range import into_range
from cellwise.parts.learners._smoothers import ExactSmoother, LandmarkSmoother, Member

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
        metric: Weight each number by the root of the share of its variance that lies between the
            classes of the labels that are learned.
    """
    if not (ridge > 0 and gamma > 0):
        raise BadOption(f"learner kernel_ridge: ridge {ridge} and gamma {gamma} lie above 0.")
    if members < 1 or exact < 0 or landmarks < 1:
        raise BadOption(
            "learner kernel_ridge: members and landmarks are at least 1, exact is not negative."
        )
    return _KernelRidge(Settings(ridge, gamma, exact, landmarks), metric, members)


@dataclass(frozen=True, slots=True)
class _KernelRidge:
    settings: Settings
    metric: bool
    members: int

    def fit(self, vectors: Floats, labels: Floats, weights: Floats, seed: int) -> "_Fitted":
        check_learned(vectors, labels, weights)
        if not (weights > 0).all():
            kept = weights > 0
            vectors, labels, weights = vectors[kept], labels[kept], weights[kept]
        views = views_of(vectors)
        parts = tuple(
            self._fit(view.of(vectors[rows]), labels[rows], weights[rows], seed)
            for view, rows in views.taught(vectors)
        )
        return _Fitted(views, parts)

    def _fit(
        self, ready: Floats, labels: Floats, weights: Floats, seed: int
    ) -> tuple["_Part", ...]:
        scale = np.ones(ready.shape[1], np.float32)
        if self.metric:
            scale = class_shares(ready, labels, weights)
        return tuple(
            _Part(
                member.columns,
                scale[member.columns],
                fit_sums(
                    ready[:, member.columns] * scale[member.columns],
                    labels, weights, member.settings, seed + number,
                ),
            )
            for number, member in enumerate(self.drawn(ready.shape[1], seed))
        )  # fmt: skip

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
        views = views_of(vectors)
        members = [self.drawn(len(view.columns), seed) for view, _ in views.parts(vectors[:1])]
        kind = LandmarkSmoother if many else ExactSmoother
        return kind(vectors, folds, views, members, seed)

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> "_Fitted":
        views = Views.restored(arrays)
        parts = tuple(
            tuple(_parts(arrays, f"{number}."))
            for number in range(1 if views.common is None else 2)
        )
        return _Fitted(views, parts)


@dataclass(frozen=True, slots=True)
class _Part:
    """One member: its numbers, their weights, its sum of kernels."""

    columns: npt.NDArray[np.int64]
    scale: Floats
    sums: Sums

    def __call__(self, ready: Floats) -> Floats:
        return self.sums(ready[:, self.columns] * self.scale)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """The members of each view."""

    views: Views
    parts: tuple[tuple[_Part, ...], ...]

    def predict(self, vectors: Floats) -> Floats:
        """Probabilities `[cell, class]`."""
        classes = self.parts[0][0].sums.share.shape[1]
        result = np.zeros((len(vectors), classes), np.float32)
        for (view, rows), members in zip(self.views.parts(vectors), self.parts, strict=True):
            if rows.any():
                result[rows] = _mean(view, vectors[rows], members)
        return into_range(result)

    def arrays(self) -> Arrays:
        """All of it, by name."""
        found = self.views.arrays()
        for number, members in enumerate(self.parts):
            for place, member in enumerate(members):
                own: Arrays = {
                    "columns": member.columns,
                    "scale": member.scale,
                    **member.sums.arrays(),
                }
                found |= {f"{number}.{place}.{name}": array for name, array in own.items()}
        return found


def _mean(view: View, vectors: Floats, members: tuple[_Part, ...]) -> Floats:
    ready = view.of(vectors)
    total = members[0](ready)
    for member in members[1:]:
        total += member(ready)
    return total / np.float32(len(members))


def _parts(arrays: Mapping[str, npt.NDArray[Any]], start: str) -> list[_Part]:
    count = len({name.split(".")[1] for name in arrays if name.startswith(start)})
    found = []
    for place in range(count):
        own = {name.split(".")[-1]: arrays[name] for name in arrays
               if name.startswith(f"{start}{place}.")}  # fmt: skip
        found.append(_Part(own["columns"], own["scale"], Sums.restored(own)))
    return found
