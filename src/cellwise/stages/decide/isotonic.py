"""One rising curve from score to probability, learned from fields with a single label.

Every cell of a field with one label, or none, is taken for a cell that shows this label and no
other. All cells and classes are one table with one column, the score, and the answer is 0 or 1; of
all curves that never fall, the one nearest to the answers is taken, straight between its points.
Where it is flat, cells are tied: `mixture` with `temperature` keeps their order.

Fewer than ten such fields are no ground for a curve: nothing is fitted, and the decision says so.

Source: isotonic regression as calibration, Zadrozny and Elkan 2002 (KDD).
"""

from sklearn.isotonic import IsotonicRegression

from cellwise.contracts.curves import Lines
from cellwise.contracts.decider import Decider, Evidence, Fitted, Floats
from cellwise.stages.decide._single_label import fitted_on_single_labels


def build() -> Decider:
    """Make the decider."""

    def isotonic(evidence: Evidence) -> Fitted:
        return fitted_on_single_labels(evidence, _rising)

    return isotonic


def _rising(score: Floats, answer: Floats, weight: Floats | None) -> Lines:
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    model.fit(score, answer, sample_weight=weight)
    points, values = model.X_thresholds_, model.y_thresholds_
    return Lines((tuple(points.tolist()),), (tuple(values.tolist()),))
