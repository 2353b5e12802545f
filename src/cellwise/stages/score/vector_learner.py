"""Each cell's embedding through what a learner learned; cells that lack numbers too.

Scores are the logits of the learner's probabilities, within 1e-6 of 0 and 1; of several models the
mean of their logits.

Source: the learner's own, see `parts/learners`.
"""

from cellwise.contracts.scorer import Predictor, Scorer, SitePixels, Views

NEEDS = ("vectors", "learner")


def build() -> Scorer:
    """Make the scorer."""

    def vector_learner(predictor: Predictor, pixels: SitePixels) -> Views:
        return predictor(pixels.vectors).logits[None]

    return Scorer("cell", vector_learner, items="vectors")
