"""What a batch costs, and how good an epoch is by items that were set aside.

Epochs are judged against the labels that training has, never against the truth of cells.
"""

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn

from cellwise.contracts.batch import Positions, When
from cellwise.contracts.task import Truth
from cellwise.parts.normalise import laid_out
from cellwise.stages.train._material import Material, Plan

_PRESENT = 0.5


def truth_of(material: Material, positions: Positions, plan: Plan, targets: Tensor) -> Truth:
    """What a batch should say.

    Args:
        material: What is learned from.
        positions: Places in it, `[item]` or `[bag, cell]`.
        plan: Its balance.
        targets: `[item, class]`, the items' own labels as augmentation left them.
    """
    items = positions.reshape(-1)
    bags = positions if positions.ndim == 1 else positions[:, 0]
    arrays = (material.weights[items], material.fields[bags], plan.balance)
    return Truth(targets, *(torch.from_numpy(array).to(targets.device) for array in arrays))


def judge(net: nn.Module, material: Material, plan: Plan) -> float:
    """How bad the network is on items set aside, without augmentation; less is better.

    Always the same batches. Mean cost per batch, or, where `plan.keep` is `best_ap`, minus the
    macro average precision: of items against their own labels, of bags (their greatest logit)
    against their fields'.
    """
    device = next(net.parameters()).device
    batches = plan.task.sampler(material.pool, plan.batch, When(plan.seed, 0))
    costs, scores, places = [], [], []
    net.eval()
    with torch.no_grad():
        for positions in batches:
            items = positions.reshape(-1)
            seen = plan.normalisation(torch.from_numpy(material.read(items)).to(device))
            logits = net(laid_out(seen)).logits
            targets = torch.from_numpy(material.targets[items]).to(device)
            truth = truth_of(material, positions, plan, targets)
            costs.append(float(plan.task.cost(logits, truth, plan.loss)))
            scores.append(logits.view(*positions.shape, -1).float().cpu().numpy())
            places.append(positions)
    net.train()
    if plan.keep != "best_ap":
        return float(np.mean(costs))
    return -_precision(np.concatenate(scores), np.concatenate(places), material)


def _precision(logits: npt.NDArray[np.float32], places: Positions, material: Material) -> float:
    if places.ndim == 1:
        targets, weights = material.targets[places], material.weights[places]
        return macro_average_precision(logits, targets, weights)
    targets = material.fields[places[:, 0]]
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
