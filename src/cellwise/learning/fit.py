"""Train a network on a lesson."""

from typing import Any

from torch import nn

from cellwise.errors import BadOption
from cellwise.learning._checkpoint import last_checkpoint
from cellwise.learning._frame import run_trainer, surroundings
from cellwise.learning._learner import Learner
from cellwise.learning._loader import make_loader
from cellwise.learning.lesson import Lesson
from cellwise.learning.plan import Place, Plan, Trained
from cellwise.learning.ranks import Ranks

_PRECISION: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def fit(net: nn.Module, lesson: Lesson, plan: Plan, place: Place) -> Trained:
    """Train `net`, going on from the newest checkpoint in `place` if there is one.

    Where `plan.average` is set, its running average is judged and kept in place of the weights.
    With `plan.devices` above 1 every process that `in_ranks` started calls this alike.

    Args:
        net: Freshly made; its weights are changed.
        lesson: What is learned. Where it judges epochs, the best one's weights are kept, else the
            last one's.
        plan: How.
        place: Checkpoints and progress.

    Raises:
        BadOption: The loss became infinite or no number; says where.
        KeyboardInterrupt: Stopped from outside; the next call goes on from the last epoch.
    """
    ranks = Ranks.here()
    if ranks.size > 1 and plan.not_finite == "skip":
        raise BadOption("train: not_finite 'skip' is for one device; give 'stop'.")
    with surroundings(plan.threads, plan.device):
        learner = Learner(net, lesson, plan, place, ranks)
        found = last_checkpoint(place.folder)
        if found is not None:
            learner.remember(found[1]["cellwise"])
        if found is not None and learner.is_finished():
            learner.load_state_dict(found[1]["state_dict"])
        else:
            run_trainer(
                learner,
                make_loader(lesson, plan),
                epochs=plan.epochs,
                device=plan.device,
                devices=ranks.size // ranks.nodes,
                nodes=ranks.nodes,
                folder=place.folder,
                start=None if found is None else str(found[0]),
                precision=_PRECISION[plan.precision],
                gradient_clip_val=plan.clip or None,
                accumulate_grad_batches=plan.accumulate,
            )
        return learner.outcome()
