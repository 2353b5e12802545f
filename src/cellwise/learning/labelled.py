"""The lesson of items with labels, whatever shape an item has.

Epochs are judged against the labels that training has, never against the truth of cells.
"""

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor

from cellwise.contracts.batch import Positions, When
from cellwise.contracts.network import Asked, Output
from cellwise.contracts.task import Truth
from cellwise.errors import BadOption
from cellwise.learning.judged_wells import judged_wells
from cellwise.learning.lesson import Ask, Judgement, Lesson, Turn
from cellwise.learning.material import Material, Method
from cellwise.learning.plan import Plan
from cellwise.learning.ranks import Ranks
from cellwise.learning.seeds import drawn_corners, item_generators
from cellwise.parts.normalise import relative

_PRESENT = 0.5


def make_lesson(
    material: Material,
    method: Method,
    plan: Plan,
    *,
    validation: Material | None = None,
    on_device: bool | None = None,
) -> Lesson:
    """The lesson.

    Args:
        material: What is learned from.
        method: How.
        plan: Its seed, device and measure of the best epoch.
        validation: Items of other groups on which each epoch is judged; None for none.
        on_device: Augment where the network lies and not where items are read; None for where it is
            faster: on a card, if there is one.
    """
    there = plan.device.startswith("cuda") if on_device is None else on_device
    work = _Labelled(material, method, plan.seed, Ranks.here(), on_device=there)
    judge = None
    if validation is not None:

        def judge(ask: Ask) -> Judgement:
            if method.task.tile:
                return judged_wells(ask, validation, method, plan)
            return Judgement(judged(ask, validation, method, plan))

    return Lesson(work.order, work.draw, work.batch_loss, judge)


class _Labelled:
    """What the functions of the lesson share."""

    def __init__(
        self, material: Material, method: Method, seed: int, ranks: Ranks, *, on_device: bool
    ) -> None:
        self.material, self.method, self.seed = material, method, seed
        self.ranks, self.on_device = ranks, on_device
        # Where a task asks more than once, every process has the whole batch and shares the asking.
        self.whole = method.task.objective is not None

    def order(self, epoch: int) -> list[Positions]:
        """The batches of an epoch."""
        when = When(self.seed, epoch)
        return self.method.task.sampler(self.material.pool, self.method.batch, when)

    def draw(self, turn: Turn) -> tuple[Tensor, ...]:
        """Items, their targets and weights, the labels of their fields, and covariates if any."""
        positions = self._share(turn)
        items = positions.reshape(-1)
        pixels = torch.from_numpy(self._read(items, turn))
        targets, weights, fields = truth_arrays(self.material, positions)
        if not self.on_device:
            pixels, targets = self._augmented(pixels, targets, turn)
        known = self.material.covariates
        told = () if known is None else (torch.from_numpy(known[items]),)
        return pixels, targets, weights, fields, *told

    def batch_loss(self, ask: Ask, drawn: tuple[Tensor, ...], turn: Turn, done: float) -> Tensor:
        """The loss of a drawn batch."""
        pixels, targets, weights, fields, *told = drawn
        known = told[0] if told else None
        if self.on_device:
            pixels, targets = self._augmented(pixels, targets, turn)
        task, loss = self.method.task, self.method.loss
        count = len(turn.positions)
        if not self.whole:
            targets, weights, fields = (
                ask.together(rows, count) for rows in (targets, weights, fields)
            )
        class_weights = torch.from_numpy(self.method.class_weights).to(targets.device)
        part = self.method.taught
        targets, fields, class_weights = part(targets), part(fields), part(class_weights)
        truth = Truth(targets, weights, fields, class_weights)
        standardise = self.method.normalisation.standardise

        def forward(shown: Tensor, asked: Asked) -> Output:
            return ask(standardise(shown), asked)

        try:
            if task.objective is not None:
                return task.objective(forward, pixels, truth, loss, done)
            second = self.method.second
            asked = Asked.LOGITS | Asked.COSINES if second else Asked.LOGITS
            found = ask(standardise(pixels), asked, of=count, covariates=known)
            total = task.batch_loss(part(found.logits), truth, loss)
            if second is None:
                return total
            of_cosines, (own, share) = second
            return own * total + share * task.batch_loss(found.cosines, truth, of_cosines)
        except ValueError as error:
            # Torch's words of a batch norm that is to find the spread of a single number.
            if "more than 1 value per channel" not in str(error):
                raise
            raise BadOption(
                "train: a batch of one image is too small for this network, which normalises "
                "over the batch. Give --set train.batch=3 or more, or net: tiny."
            ) from error

    def _read(self, items: Positions, turn: Turn) -> npt.NDArray[np.float32]:
        """Whole items, or one tile of each."""
        tile, size = self.method.task.tile, self.method.task.size
        if not tile or size is None:
            return self.material.read(items)
        every = turn.positions.reshape(-1)
        corners = drawn_corners(every, self.seed, turn.epoch, size=size, tile=tile)
        if not self.whole:
            # An item that comes twice has two draws, whoever has which share of the batch.
            corners = self.ranks.own(corners.reshape(*turn.positions.shape, 2)).reshape(-1, 2)
        return self.material.read_tiles(items, corners, tile)

    def _augmented(self, pixels: Tensor, targets: Tensor, turn: Turn) -> tuple[Tensor, Tensor]:
        """Changed by generators that follow from the turn, whoever has which share of it."""
        pixels = relative(pixels, self.method.normalisation.mode)
        share = self._share(turn)
        every = item_generators(turn.positions.reshape(-1), self.seed, epoch=turn.epoch)
        places = np.arange(turn.positions.size).reshape(turn.positions.shape)
        own = places if self.whole else self.ranks.own(places)
        generators = [every[place] for place in own.reshape(share.size).tolist()]
        for change in self.method.augment:
            pixels, targets = change(pixels, targets, generators)
        return pixels, targets

    def _share(self, turn: Turn) -> Positions:
        return turn.positions if self.whole else self.ranks.own(turn.positions)


def truth_arrays(material: Material, positions: Positions) -> tuple[Tensor, Tensor, Tensor]:
    """Targets `[item, class]`, weights `[item]` and labels of fields `[bag, class]`.

    Args:
        material: What is learned from.
        positions: Places in it, `[item]` or `[bag, cell]`.
    """
    items = positions.reshape(-1)
    bags = positions if positions.ndim == 1 else positions[:, 0]
    arrays = (material.targets[items], material.weights[items], material.fields[bags])
    targets, weights, fields = (torch.from_numpy(array) for array in arrays)
    return targets, weights, fields


def judged(ask: Ask, material: Material, method: Method, plan: Plan) -> float:
    """How bad the network is on items set aside, without augmentation; less is better.

    Always the same batches. Mean loss per batch, or, where `plan.keep` is `best_ap`, minus the
    macro average precision: of items against their own labels, of bags (their greatest logit)
    against their fields'.
    """
    device = torch.device(plan.device)
    class_weights = torch.from_numpy(method.class_weights).to(device)
    losses, scores, places = [], [], []
    for positions in method.task.sampler(material.pool, method.batch, When(plan.seed, 0)):
        seen = method.normalisation(
            torch.from_numpy(material.read(positions.reshape(-1))).to(device)
        )
        part = method.taught
        logits = part(ask(seen).logits)
        arrays = [one.to(device) for one in truth_arrays(material, positions)]
        truth = Truth(part(arrays[0]), arrays[1], part(arrays[2]), part(class_weights))
        losses.append(float(method.task.batch_loss(logits, truth, method.loss)))
        scores.append(logits.view(*positions.shape, -1).cpu().numpy())
        places.append(positions)
    if plan.keep != "best_ap":
        return float(np.mean(losses))
    return -_precision(np.concatenate(scores), np.concatenate(places), material, method)


def _precision(
    logits: npt.NDArray[np.float32], places: Positions, material: Material, method: Method
) -> float:
    if places.ndim == 1:
        targets, weights = method.taught(material.targets[places]), material.weights[places]
        return macro_average_precision(logits, targets, weights)
    targets = method.taught(material.fields[places[:, 0]])
    return macro_average_precision(logits.max(1), targets, np.ones(len(targets), np.float32))


def macro_average_precision(
    logits: npt.NDArray[np.float32],
    targets: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
) -> float:
    """Mean over classes of the average precision.

    Args:
        logits: `[item, class]`.
        targets: `[item, class]` in 0..1; present from 0.5 on.
        weights: `[item]`, 0 or more; items of weight 0 are left out.

    Returns:
        In 0..1; 0 where no class has both a present and an absent label.
    """
    counted = weights > 0
    present = targets[counted] >= _PRESENT
    mixed = present.any(0) & ~present.all(0)
    scores = [
        average_precision_score(
            present[:, place], logits[counted, place], sample_weight=weights[counted]
        )
        for place in np.flatnonzero(mixed)
    ]
    return float(np.mean(scores)) if scores else 0.0
