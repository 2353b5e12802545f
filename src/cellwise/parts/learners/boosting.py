"""Gradient boosting of trees by LightGBM: each class against its absence, soft labels as they are.

Trees take missing numbers themselves: at each split such cells go to the side that fits them.
Needs the extra: `pip install 'cellwise[boosting]'`.

Source: LightGBM (Ke and others 2017, NeurIPS 30) with its objective `cross_entropy`.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cellwise.contracts.learner import Arrays, Fitted, Floats, Learner, Smoother, check_learned
from cellwise.errors import BadOption
from cellwise.parts.learners._columns import views_of
from cellwise.parts.learners._per_fold import PerFold

# Share of the numbers that each tree looks at: many are alike.
_SEEN = 0.3


def build(
    trees: int = 100, leaves: int = 15, learning_rate: float = 0.1, smallest: int = 10
) -> Learner:
    """Make the learner.

    Args:
        trees: Trees of each class.
        leaves: Leaves of a tree at most, from 2 on.
        learning_rate: What each tree counts, in 0..1, 0 excluded.
        smallest: Cells in a leaf at least.
    """
    if trees < 1 or not 2 <= leaves <= 1 << 17 or not 0 < learning_rate <= 1 or smallest < 1:
        raise BadOption(
            "learner boosting: trees and smallest are at least 1, leaves at least 2 (and at most "
            "131,072), learning_rate lies in 0..1, 0 excluded."
        )
    if importlib.util.find_spec("lightgbm") is None:
        raise BadOption(
            "learner boosting needs a package that is not installed here: "
            "pip install 'cellwise[boosting]'. kernel_ridge needs none."
        )
    return _Boosting(trees, leaves, learning_rate, smallest)


@dataclass(frozen=True, slots=True)
class _Boosting:
    trees: int
    leaves: int
    learning_rate: float
    smallest: int

    def fit(self, vectors: Floats, labels: Floats, weights: Floats, seed: int) -> Fitted:
        import lightgbm

        check_learned(vectors, labels, weights)
        kept = weights > 0
        vectors, labels, weights = vectors[kept], labels[kept], weights[kept]
        # Refuses cells that are all alike.
        views_of(vectors)
        settings = {
            "objective": "cross_entropy",
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.smallest,
            "feature_fraction": _SEEN,
            "seed": seed % (1 << 31),
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": torch.get_num_threads(),
            "verbosity": -1,
        }
        data = lightgbm.Dataset(vectors, weight=weights, params=settings, free_raw_data=False)
        texts: dict[int, str] = {}
        for number, label in enumerate(labels.T):
            # A label that is the same in all cells is no question.
            if np.ptp(label) > 0:
                data.set_label(np.ascontiguousarray(label))
                made = lightgbm.train(settings, data, num_boost_round=self.trees)
                texts[number] = made.model_to_string()
        return _Trees(texts, labels[0], vectors.shape[1])

    def out_of_fold(self, vectors: Floats, folds: npt.NDArray[np.int64], seed: int) -> Smoother:
        return PerFold(self, vectors, folds, seed)

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> Fitted:
        texts = {
            int(name.removeprefix("trees.")): bytes(array).decode()
            for name, array in arrays.items()
            if name.startswith("trees.")
        }
        return _Trees(texts, arrays["same"], int(arrays["numbers"][0]))


@dataclass(frozen=True, slots=True)
class _Trees:
    """The trees of each class as LightGBM's text.

    Args:
        texts: By class, of classes that differ between cells.
        same: `[class]`, the label of the others.
        numbers: Numbers of a vector.
    """

    texts: dict[int, str]
    same: Floats
    numbers: int

    def predict(self, vectors: Floats) -> Floats:
        """Probabilities `[cell, class]`."""
        import lightgbm

        result = np.tile(self.same, (len(vectors), 1)).astype(np.float32)
        if len(vectors):
            threads = torch.get_num_threads()
            for number, text in self.texts.items():
                trees = lightgbm.Booster(model_str=text)
                result[:, number] = trees.predict(vectors, num_threads=threads)
        return np.clip(result, 0, 1)

    def arrays(self) -> Arrays:
        """All of it, by name."""
        found = {
            f"trees.{number}": np.frombuffer(text.encode(), np.uint8)
            for number, text in self.texts.items()
        }
        return {**found, "same": self.same.copy(), "numbers": np.array([self.numbers])}
