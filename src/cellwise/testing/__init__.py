"""Checks of components, one call per kind, for the tests of the package that brings them.

    from cellwise.testing import check_loss
    from my_package import my_loss

    def test_my_loss_keeps_the_contract():
        check_loss(my_loss.build)
        check_loss(my_loss.build, gamma=2.0)

Each is given the function `build` of the component and the options to build it with, tries it on
small made-up input, and raises `BrokenContract`, which names the component, the rule and what was
seen instead. A component that passes can be named in a recipe; whether it is any good, only its own
test against an independent computation and a benchmark can tell.
"""

from cellwise.testing.folders import check_exporter, check_layout, check_splitter
from cellwise.testing.labels import check_adjuster, check_decider, check_labeller
from cellwise.testing.learners import check_learner
from cellwise.testing.losses import check_loss, check_task
from cellwise.testing.orders import check_optimiser, check_sampler, check_schedule
from cellwise.testing.pixels import check_augmentation, check_net, check_scorer, check_segmenter

__all__ = [
    "check_adjuster",
    "check_augmentation",
    "check_decider",
    "check_exporter",
    "check_labeller",
    "check_layout",
    "check_learner",
    "check_loss",
    "check_net",
    "check_optimiser",
    "check_sampler",
    "check_schedule",
    "check_scorer",
    "check_segmenter",
    "check_splitter",
    "check_task",
]
