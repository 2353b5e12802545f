"""What lightning drives: one lesson, epoch by epoch; a resumed training equals an undisturbed one.

The loader hands out turns only; which items they mean, how they are augmented and the seed of torch
follow from (seed, epoch, batch). Lightning restores weights and optimiser, and nothing else is
remembered.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from cellwise.contracts.network import Asked, Output
from cellwise.contracts.optimiser import SHARE
from cellwise.contracts.schedule import Moment
from cellwise.errors import BadOption
from cellwise.learning._average import WeightAverage
from cellwise.learning._checkpoint import save_checkpoint
from cellwise.learning._epoch_average import EpochAverage
from cellwise.learning._frame import seed_batch
from cellwise.learning._loader import Failed
from cellwise.learning._stopping import best_epoch, should_stop
from cellwise.learning.lesson import Ask, Judgement, Lesson, Turn
from cellwise.learning.plan import Place, Plan, Trained
from cellwise.learning.ranks import Ranks
from cellwise.learning.seeds import derived_seed

_REPORTS = 100
# More batches without a finite loss than this share of an epoch are no accident.
_MOST_SKIPPED = 0.1


class Asking:
    """The network for a lesson, see `Ask`."""

    def __init__(self, net: nn.Module, ranks: Ranks) -> None:
        self.net, self.ranks = net, ranks

    def __call__(
        self,
        items: Tensor,
        asked: Asked | None = Asked.LOGITS,
        *,
        of: int | None = None,
        covariates: Tensor | None = None,
    ) -> Output:
        """What the network says of all rows."""
        rows = len(items) if of is None else of
        if of is None and rows < self.ranks.size and not torch.is_grad_enabled():
            # Too few to share, and no gradient that would be counted more than once.
            return Asking(self.net, Ranks())(items, asked, covariates=covariates)
        own = self.ranks.own(items) if of is None else items
        told: tuple[Tensor, ...] = () if covariates is None else (covariates,)
        if of is None:
            told = tuple(self.ranks.own(rows) for rows in told)
        if own.ndim == 4:
            # On processors convolutions are a fifth faster with channels innermost.
            own = own.contiguous(memory_format=torch.channels_last)
        found: Output = (
            Output(None, self.net(own)) if asked is None else self.net(own, asked, *told)
        )
        return found.each(lambda part: self.together(part.float(), rows))

    def together(self, rows: Tensor, of: int) -> Tensor:
        """The rows of all devices."""
        return self.ranks.together(rows, of)


class Learner(LightningModule):  # type: ignore[misc, unused-ignore]
    """Knows one training only."""

    def __init__(
        self, net: nn.Module, lesson: Lesson, plan: Plan, place: Place, ranks: Ranks
    ) -> None:
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.lesson = lesson
        self.plan = plan
        self.place = place
        self.ranks = ranks
        self.batches = len(lesson.order(0))
        self.losses: list[float] = []
        self.validation: list[float] = []
        self.best: dict[str, Tensor] = {}
        self.parts: list[dict[str, float]] = []
        self.best_of: dict[str, dict[str, Tensor]] = {}
        self.skipped = 0
        self.average = WeightAverage(self.net, plan.average) if plan.average else None
        begin = plan.average_from
        self.epoch_average = EpochAverage(self.net, begin) if begin else None
        self._batch_losses: list[float] = []
        self._skipped_here = 0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """As the plan says; the rate is set before every step."""
        return self.plan.optimiser(self.net, self.plan.learning_rate, self.plan.weight_decay)

    def on_train_epoch_start(self) -> None:
        """Begin to count anew."""
        self._batch_losses = []
        self._skipped_here = 0

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed torch and set the learning rate from where the training stands."""
        seed_batch(derived_seed(self.plan.seed, self.current_epoch, batch_idx), self.device)
        moment = Moment(
            batch_idx, self.batches, self.current_epoch, self.plan.epochs, self.judgements
        )
        rate = self.plan.learning_rate * self.plan.schedule(moment)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate * group.get(SHARE, 1.0)

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Tensors go to the device while it still works on what came before."""
        if isinstance(batch, Failed):
            raise batch.error
        turn, drawn = batch
        return turn, tuple(one.to(device, non_blocking=True) for one in drawn)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """The loss of one batch; None passes it over."""
        turn, drawn = batch
        done = self.current_epoch / self.plan.epochs
        loss = self.lesson.batch_loss(Asking(self.net, self.ranks), drawn, turn, done)
        value = float(loss.detach())
        if not np.isfinite(value):
            self._pass_over(value, batch_idx)
            return None
        self._batch_losses.append(value)
        self._tell(batch_idx)
        # Gradients are averaged over processes, and each has those of its own rows only.
        return loss * self.ranks.size if self.ranks.size > 1 else loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Take a step, if this batch completed one, into the average."""
        if self.average is not None and self.trainer.global_step > self.average.steps:
            self.average.update(self.net)

    def on_train_epoch_end(self) -> None:
        """Judge the epoch, save, and stop if nothing gets better."""
        found = self._batch_losses
        self.losses.append(float(np.mean(found)) if found else float("nan"))
        if self.epoch_average is not None:
            self.epoch_average.update(self.net, self.current_epoch)
        with self._judged_weights():
            if self.lesson.judge is not None:
                judged = self._judged(self.lesson.judge)
                self.validation.append(judged.value)
                self.parts.append(dict(judged.parts))
            if self._keeps_copies() and self._kept_epoch() == len(self.losses) - 1:
                self.best = self._copy()
            if self.plan.keep_parts:
                self.best_of.update({name: self._copy() for name in self._bettered()})
        save_checkpoint(self.trainer, self.place.folder, self.current_epoch)
        self.trainer.should_stop = self.is_finished()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What resuming needs beside lightning's own."""
        checkpoint["cellwise"] = {
            "losses": self.losses,
            "validation": self.validation,
            "best": self.best,
            "parts": self.parts,
            "best_of": self.best_of,
            "epoch_average": None if self.epoch_average is None else self.epoch_average.state(),
            "skipped": self.skipped,
            "average": None if self.average is None else self.average.state(),
        }

    def remember(self, history: dict[str, Any]) -> None:
        """Take up the history of a checkpoint."""
        # Checkpoints of `train-segmenter` held nothing but how many epochs were done.
        self.losses = list(history.get("losses", [float("nan")] * history.get("epochs", 0)))
        self.validation = list(history.get("validation", ()))
        self.best = dict(history.get("best", {}))
        self.parts = [dict(part) for part in history.get("parts", ())]
        self.best_of = {name: dict(weights) for name, weights in history.get("best_of", {}).items()}
        self.skipped = int(history.get("skipped", 0))
        if self.epoch_average is not None and history.get("epoch_average"):
            self.epoch_average.restore(**history["epoch_average"])
        if self.average is not None:
            self.average.restore(**history["average"])

    @property
    def judgements(self) -> list[float]:
        """What epochs are judged by: groups set aside, else the training loss."""
        return self.losses if self.lesson.judge is None else self.validation

    def is_finished(self) -> bool:
        """Whether all epochs are done, or nothing got better for long enough."""
        done = len(self.losses) >= self.plan.epochs
        unlearned = 0 < self.plan.patient_above <= (self.losses or [0.0])[-1]
        patience = self.plan.patience * (2 if unlearned else 1)
        return done or should_stop(self.judgements, patience, self._told_parts())

    def outcome(self) -> Trained:
        """Weights and history."""
        state = self.best if self._keeps_copies() else self.net.state_dict()
        history = (tuple(self.losses), tuple(self.validation))
        best_of = {
            name: (self._best_of_part(name), _arrays(weights))
            for name, weights in sorted(self.best_of.items())
        }
        parts = tuple(self._told_parts())
        kept = self._kept_epoch()
        return Trained(_arrays(state), *history, kept, self.skipped, parts, best_of)

    def _keeps_copies(self) -> bool:
        """Whether the weights to keep may be others than those at the end."""
        averages = self.average is not None or self.epoch_average is not None
        return self.lesson.judge is not None or averages

    def _copy(self) -> dict[str, Tensor]:
        return {n: v.detach().cpu().clone() for n, v in self.net.state_dict().items()}

    def _told_parts(self) -> list[dict[str, float]]:
        """What parts were judged by; none where nothing is told of parts."""
        return self.parts if any(self.parts) else []

    def _best_of_part(self, name: str) -> int:
        return best_epoch([part.get(name, float("nan")) for part in self.parts])

    def _bettered(self) -> list[str]:
        """The parts for which the last epoch is the best one so far."""
        last = len(self.parts) - 1
        return [name for name in self.parts[-1] if self._best_of_part(name) == last]

    def _kept_epoch(self) -> int:
        if self.lesson.judge is None or self.plan.keep == "last":
            return len(self.losses) - 1
        return best_epoch(self.validation)

    def _judged_weights(self) -> AbstractContextManager[None]:
        if self.epoch_average is not None:
            return self.epoch_average.in_place_of(self.net, self._show_all)
        return nullcontext() if self.average is None else self.average.in_place_of(self.net)

    def _show_all(self) -> None:
        """The batches of this epoch once more, nothing learned from them."""
        epoch, ask = self.current_epoch, Asking(self.net, self.ranks)
        for number, positions in enumerate(self.lesson.order(epoch)):
            turn = Turn(epoch, number, positions)
            drawn = tuple(one.to(self.device) for one in self.lesson.draw(turn))
            self.lesson.batch_loss(ask, drawn, turn, epoch / self.plan.epochs)

    def _judged(self, judge: Callable[[Ask], Judgement]) -> Judgement:
        self.net.eval()
        with torch.no_grad():
            value = judge(Asking(self.net, self.ranks))
        self.net.train()
        return value

    def _pass_over(self, value: float, batch_idx: int) -> None:
        """Count a batch without a finite loss, or stop."""
        self.skipped += 1
        self._skipped_here += 1
        few = self._skipped_here <= max(1, _MOST_SKIPPED * self.batches)
        if self.plan.not_finite == "skip" and few:
            return
        raise BadOption(
            f"The loss became {value} in epoch {self.current_epoch + 1}, batch "
            f"{batch_idx + 1} ({self.place.folder.name}). {self.plan.advice}"
        )

    def _tell(self, batch_idx: int) -> None:
        steps = self.batches
        done = self.current_epoch * steps + batch_idx + 1
        every = max(1, self.plan.epochs * steps // _REPORTS)
        if done % every == 0 or batch_idx + 1 == steps:
            note = f"epoch {self.current_epoch + 1} of {self.plan.epochs}"
            self.place.progress(done, f"{note}, loss {np.mean(self._batch_losses):.3f}")


def _arrays(state: dict[str, Tensor]) -> dict[str, np.ndarray[Any, Any]]:
    return {name: value.detach().cpu().numpy().copy() for name, value in state.items()}
