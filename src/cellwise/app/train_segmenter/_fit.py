"""The training loop of the small network, with lightning; a resumed one equals an undisturbed one.

Which pieces are drawn and how they are changed follows from (seed, epoch, batch) alone. Each folder
of pictures gives an equal share of the pieces, however many pictures it holds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from cellwise.app.train_segmenter.augment import Example, draw_example
from cellwise.app.train_segmenter.data import Picture
from cellwise.contracts.schedule import Moment
from cellwise.errors import BadOption
from cellwise.parts._trainer import run_trainer, seed_batch, surroundings
from cellwise.parts.schedules import one_cycle
from cellwise.stages.train._checkpoint import last_checkpoint, save_checkpoint
from cellwise.stages.train._schedule import derived_seed

Weights = dict[str, npt.NDArray[Any]]

# Batches of an epoch: between two checkpoints.
STEPS = 100
_SCHEDULE = one_cycle.build()
_WEIGHT_DECAY = 1e-3


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train; all that the weights depend on beside pictures and net.

    Args:
        epochs: Rounds of 100 batches.
        batch: Pieces in a batch.
        learning_rate: At its highest.
        seed: Root of all randomness.
        threads: Of torch on a processor.
        device: `cpu` or `cuda`.
    """

    epochs: int
    batch: int
    learning_rate: float
    seed: int
    threads: int
    device: str


def fit(
    net: nn.Module,
    shelves: Sequence[Sequence[Picture]],
    plan: Plan,
    *,
    folder: Path,
    progress: Callable[[int, str], None],
) -> Weights:
    """Train `net`, going on from the newest checkpoint in `folder` if there is one.

    Args:
        net: Its weights are changed.
        shelves: Pictures by folder they came from, none empty.
        plan: How.
        folder: Of checkpoints.
        progress: Told `(batches done, note)`.

    Returns:
        The weights after the last epoch.

    Raises:
        BadOption: The cost became infinite or no number.
        KeyboardInterrupt: Stopped from outside; the next call goes on from the last epoch.
    """
    learner = _Learner(net, shelves, plan, folder, progress)
    with surroundings(plan.threads, plan.device):
        found = last_checkpoint(folder)
        if found is not None and found[1]["cellwise"]["epochs"] >= plan.epochs:
            learner.load_state_dict(found[1]["state_dict"])
        else:
            run_trainer(
                learner,
                range(STEPS),
                epochs=plan.epochs,
                device=plan.device,
                folder=folder,
                start=None if found is None else str(found[0]),
                gradient_clip_val=1.0,
            )
    return {name: value.detach().cpu().numpy().copy() for name, value in net.state_dict().items()}


def draw_batch(shelves: Sequence[Sequence[Picture]], plan: Plan, when: tuple[int, int]) -> Example:
    """The examples of batch `when = (epoch, batch)`, stacked."""
    drawn = []
    for item in range(plan.batch):
        rng = np.random.default_rng((plan.seed, *when, item))
        picture, other = (_drawn_from(shelves, rng) for _ in range(2))
        drawn.append(draw_example(picture, rng, other))
    return Example(
        np.stack([one.planes for one in drawn]),
        np.stack([one.targets for one in drawn]),
        np.stack([one.weights for one in drawn]),
    )


def _drawn_from(shelves: Sequence[Sequence[Picture]], rng: np.random.Generator) -> Picture:
    shelf = shelves[int(rng.integers(len(shelves)))]
    return shelf[int(rng.integers(len(shelf)))]


def cost_of(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean binary cross-entropy of the pixels and maps that count, nuclei and cells apart."""
    each = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    parts = [
        (each[:, maps] * weights[:, maps]).sum() / weights[:, maps].sum().clamp(min=1)
        for maps in (slice(0, 3), slice(3, 6))
    ]
    return parts[0] + parts[1]


class _Learner(LightningModule):  # type: ignore[misc, unused-ignore]
    """What lightning drives."""

    def __init__(
        self,
        net: nn.Module,
        shelves: Sequence[Sequence[Picture]],
        plan: Plan,
        folder: Path,
        progress: Callable[[int, str], None],
    ) -> None:
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.shelves = shelves
        self.plan = plan
        self.folder = folder
        self.progress = progress
        self._costs: list[float] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam with decoupled weight decay; the rate is set before every step."""
        return torch.optim.AdamW(
            self.net.parameters(), lr=self.plan.learning_rate, weight_decay=_WEIGHT_DECAY
        )

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed torch and set the learning rate from where the training stands."""
        seed_batch(derived_seed(self.plan.seed, self.current_epoch, batch_idx), self.device)
        moment = Moment(batch_idx, STEPS, self.current_epoch, self.plan.epochs)
        factor = _SCHEDULE(moment)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.plan.learning_rate * factor

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """The cost of one batch."""
        example = draw_batch(self.shelves, self.plan, (self.current_epoch, batch_idx))
        planes, targets, weights = (
            torch.from_numpy(array).to(self.device)
            for array in (example.planes, example.targets, example.weights)
        )
        logits = self.net(planes.contiguous(memory_format=torch.channels_last))
        cost = cost_of(logits, targets, weights)
        value = float(cost.detach())
        if not np.isfinite(value):
            raise BadOption(
                f"The cost became {value} in epoch {self.current_epoch + 1}, batch "
                f"{batch_idx + 1}. Start again from other weights or with another --seed."
            )
        self._costs = [*self._costs[1 - STEPS :], value]
        done = self.current_epoch * STEPS + batch_idx + 1
        self.progress(done, f"cost {np.mean(self._costs):.3f}")
        return cost

    def on_train_epoch_end(self) -> None:
        """Save."""
        save_checkpoint(self.trainer, self.folder, self.current_epoch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What resuming needs beside lightning's own."""
        checkpoint["cellwise"] = {"epochs": self.current_epoch + 1}
