"""One training with lightning; a resumed one equals an undisturbed one.

The loader hands out batch numbers only; which items they mean, how they are augmented and the seed
of torch follow from (seed, epoch, batch). Lightning restores weights and optimiser, and nothing
else is remembered.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from cellwise.contracts.batch import Positions, When
from cellwise.contracts.network import Asked, Output
from cellwise.contracts.optimiser import SHARE
from cellwise.contracts.schedule import Moment
from cellwise.contracts.task import Truth
from cellwise.errors import BadOption
from cellwise.parts._trainer import run_trainer, seed_batch, surroundings
from cellwise.parts.normalise import laid_out, relative
from cellwise.stages.train._average import WeightAverage
from cellwise.stages.train._checkpoint import last_checkpoint, save_checkpoint
from cellwise.stages.train._judge import judge, truth_of
from cellwise.stages.train._material import Material, Place, Plan, Trained
from cellwise.stages.train._schedule import (
    best_epoch,
    derived_seed,
    item_generators,
    should_stop,
)

_PRECISION: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
_REPORTS = 100
# More batches without a finite cost than this share of an epoch are no accident.
_MOST_SKIPPED = 0.1


def fit(
    net: nn.Module, material: Material, *, plan: Plan, place: Place, watched: Material | None
) -> Trained:
    """Train `net` on `material`, going on from the newest checkpoint in `place` if there is one.

    Where `plan.average` is set, its running average is judged and kept in place of the weights.

    Args:
        net: Freshly made; its weights are changed.
        material: What is learned from.
        plan: How.
        place: Checkpoints and progress.
        watched: Items of other groups on which each epoch is judged; None judges by the training
            cost. With it the best epoch's weights are kept, without it the last one's.

    Raises:
        BadOption: The cost became infinite or no number; says where.
        KeyboardInterrupt: Stopped from outside; the next call goes on from the last epoch.
    """
    with surroundings(plan.threads, plan.device):
        learner = _Learner(net, material, plan=plan, place=place, watched=watched)
        found = last_checkpoint(place.folder)
        if found is not None:
            learner.remember(found[1]["cellwise"])
        if found is not None and learner.is_finished():
            learner.load_state_dict(found[1]["state_dict"])
        else:
            _run(learner, plan, start=None if found is None else str(found[0]))
        return learner.outcome()


def _run(learner: "_Learner", plan: Plan, *, start: str | None) -> None:
    run_trainer(
        learner,
        range(len(learner.order(0))),
        epochs=plan.epochs,
        device=plan.device,
        folder=learner.place.folder,
        start=start,
        precision=_PRECISION[plan.precision],
        gradient_clip_val=plan.clip or None,
        accumulate_grad_batches=plan.accumulate,
    )


class _Learner(LightningModule):  # type: ignore[misc, unused-ignore]
    """What lightning drives; knows one training only."""

    def __init__(
        self,
        net: nn.Module,
        material: Material,
        *,
        plan: Plan,
        place: Place,
        watched: Material | None,
    ) -> None:
        super().__init__()
        # On processors convolutions are a fifth faster with channels innermost.
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.material = material
        self.plan = plan
        self.place = place
        self.watched = watched
        self.losses: list[float] = []
        self.validation: list[float] = []
        self.best: dict[str, Tensor] = {}
        self.skipped = 0
        self.average = WeightAverage(self.net, plan.average) if plan.average else None
        self._batches: list[Positions] = []
        self._costs: list[float] = []
        self._skipped_here = 0

    def order(self, epoch: int) -> list[Positions]:
        """The batches of an epoch."""
        when = When(self.plan.seed, epoch)
        return self.plan.task.sampler(self.material.pool, self.plan.batch, when)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """As the plan says; the rate is set before every step."""
        return self.plan.optimiser(self.net, self.plan.learning_rate, self.plan.weight_decay)

    def on_train_epoch_start(self) -> None:
        """Draw the epoch's order."""
        self._batches = self.order(self.current_epoch)
        self._costs = []
        self._skipped_here = 0

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed torch and set the learning rate from where the training stands."""
        seed_batch(derived_seed(self.plan.seed, self.current_epoch, batch_idx), self.device)
        moment = Moment(
            batch_idx, len(self._batches), self.current_epoch, self.plan.epochs, self.judgements
        )
        rate = self.plan.learning_rate * self.plan.schedule(moment)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate * group.get(SHARE, 1.0)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """The cost of one batch; None passes it over."""
        positions = self._batches[batch_idx]
        items = positions.reshape(-1)
        pixels = relative(self._pixels(self.material, items), self.plan.normalisation.mode)
        generators = item_generators(items, self.plan.seed, epoch=self.current_epoch)
        targets = torch.from_numpy(self.material.targets[items]).to(self.device)
        for change in self.plan.augment:
            pixels, targets = change(pixels, targets, generators)
        truth = truth_of(self.material, positions, self.plan, targets)
        cost = self._cost(pixels, truth)
        value = float(cost.detach())
        if not np.isfinite(value):
            self._pass_over(value, batch_idx)
            return None
        self._costs.append(value)
        self._tell(batch_idx)
        return cost

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Take a step, if this batch completed one, into the average."""
        if self.average is not None and self.trainer.global_step > self.average.steps:
            self.average.update(self.net)

    def on_train_epoch_end(self) -> None:
        """Judge the epoch, save, and stop if nothing gets better."""
        self.losses.append(float(np.mean(self._costs)) if self._costs else float("nan"))
        with self._judged_weights():
            if self.watched is not None:
                self.validation.append(judge(self.net, self.watched, self.plan))
            if self._keeps_copies() and self._kept_epoch() == len(self.losses) - 1:
                self.best = {n: v.detach().cpu().clone() for n, v in self.net.state_dict().items()}
        save_checkpoint(self.trainer, self.place.folder, self.current_epoch)
        self.trainer.should_stop = self.is_finished()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What resuming needs beside lightning's own."""
        checkpoint["cellwise"] = {
            "losses": self.losses,
            "validation": self.validation,
            "best": self.best,
            "skipped": self.skipped,
            "average": None if self.average is None else self.average.state(),
        }

    def remember(self, history: dict[str, Any]) -> None:
        """Take up the history of a checkpoint."""
        self.losses = list(history["losses"])
        self.validation = list(history["validation"])
        self.best = dict(history["best"])
        self.skipped = int(history["skipped"])
        if self.average is not None:
            self.average.restore(**history["average"])

    @property
    def judgements(self) -> list[float]:
        """What epochs are judged by: groups set aside, else the training cost."""
        return self.losses if self.watched is None else self.validation

    def is_finished(self) -> bool:
        """Whether all epochs are done, or nothing got better for long enough."""
        done = len(self.losses) >= self.plan.epochs
        return done or should_stop(self.judgements, self.plan.patience)

    def outcome(self) -> Trained:
        """Weights and history."""
        state = self.best if self._keeps_copies() else self.net.state_dict()
        weights = {name: value.detach().cpu().numpy().copy() for name, value in state.items()}
        history = (tuple(self.losses), tuple(self.validation))
        return Trained(weights, *history, self._kept_epoch(), self.skipped)

    def _keeps_copies(self) -> bool:
        """Whether the weights to keep may be others than those at the end."""
        return self.watched is not None or self.average is not None

    def _kept_epoch(self) -> int:
        if self.watched is None or self.plan.keep == "last":
            return len(self.losses) - 1
        return best_epoch(self.validation)

    def _judged_weights(self) -> AbstractContextManager[None]:
        return nullcontext() if self.average is None else self.average.in_place_of(self.net)

    def _see(self, pixels: Tensor, asked: Asked) -> Output:
        """What the network says, in single precision whatever it calculates with."""
        seen = self.plan.normalisation.standardise(pixels)
        found: Output = self.net(laid_out(seen), asked)
        return found.each(lambda part: part.float())

    def _cost(self, pixels: Tensor, truth: Truth) -> Tensor:
        task, loss = self.plan.task, self.plan.loss
        try:
            if task.look is not None:
                done = self.current_epoch / self.plan.epochs
                return task.look(self._see, pixels, truth, loss, done)
            return task.cost(self._see(pixels, Asked.LOGITS).logits, truth, loss)
        except ValueError as error:
            # Torch's words of a batch norm that is to find the spread of a single number.
            if "more than 1 value per channel" not in str(error):
                raise
            raise BadOption(
                "train: a batch of one picture is too small for this network, which normalises "
                "over the batch. Give --set train.batch=3 or more, or net: tiny."
            ) from error

    def _pass_over(self, value: float, batch_idx: int) -> None:
        """Count a batch without a finite cost, or stop."""
        self.skipped += 1
        self._skipped_here += 1
        few = self._skipped_here <= max(1, _MOST_SKIPPED * len(self._batches))
        if self.plan.not_finite == "skip" and few:
            return
        raise BadOption(
            f"The cost became {value} in epoch {self.current_epoch + 1}, batch "
            f"{batch_idx + 1} ({self.place.folder.name}). Lower the learning rate: "
            f"--set train.learning_rate={self.plan.learning_rate / 3:.2g}."
        )

    def _pixels(self, material: Material, items: Positions) -> Tensor:
        return torch.from_numpy(material.read(items)).to(self.device)

    def _tell(self, batch_idx: int) -> None:
        steps = len(self._batches)
        done = self.current_epoch * steps + batch_idx + 1
        every = max(1, self.plan.epochs * steps // _REPORTS)
        if done % every == 0 or batch_idx + 1 == steps:
            note = f"epoch {self.current_epoch + 1} of {self.plan.epochs}"
            self.place.progress(done, f"{note}, cost {np.mean(self._costs):.3f}")
