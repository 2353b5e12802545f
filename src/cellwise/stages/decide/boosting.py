"""One curve from score to probability, learned by boosted trees from fields with a single label.

Every cell of a field with one label, or none, is taken for a cell that shows this label and no
other. All cells and classes are one table with one column, the score, and the answer is 0 or 1;
boosted regression trees (100 of depth 3, rate 0.1, squared error) make a staircase of it. Each
network needs its own, as scores of different networks differ in scale: name one score step in
`from`, or decide apart and take the mean.

Values below 0 and above 1, which squared error allows, are held at 0 and 1. Cells on one stair are
tied: `mixture` with `temperature` keeps their order.

Fewer than ten such fields are no ground for a curve: nothing is fitted, and the decision says so.

Source: the HPA 2021 system of Riedel (21st); gradient boosting is Friedman 2001 (Annals of
Statistics 29).
"""

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

from cellwise.contracts.curves import Steps
from cellwise.contracts.decider import Decider, Evidence, Fitted, Floats
from cellwise.stages.decide._single_label import fitted_on_single_labels

_SEED = 0


def build() -> Decider:
    """Make the decider."""

    def boosting(evidence: Evidence) -> Fitted:
        return fitted_on_single_labels(evidence, _staircase)

    return boosting


def _staircase(score: Floats, answer: Floats, weight: Floats | None) -> Steps:
    """The staircase of one column of scores, in rising order, for answers 0 and 1."""
    centre, spread = float(score.mean()), float(score.std()) or 1.0
    model = GradientBoostingRegressor(random_state=_SEED)
    model.fit(((score - centre) / spread)[:, None], answer, sample_weight=weight)
    trees = [tree.tree_ for tree in model.estimators_[:, 0]]
    inner = [tree.threshold[tree.children_left >= 0] for tree in trees]
    edges = np.unique(np.concatenate(inner))
    # A value on either side of each edge: the trees are constant in between.
    beside = np.r_[edges[0] - 1, (edges[:-1] + edges[1:]) / 2, edges[-1] + 1] if len(edges) else 0
    values = model.predict(np.reshape(beside, (-1, 1)))
    rows = tuple((edges * spread + centre).tolist()), tuple(values.tolist())
    return Steps((rows[0],), (rows[1],))
