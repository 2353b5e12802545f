"""How bad a network is on sites set aside, judged by wells: logits are averaged before the loss.

A well is seen by all tiles of all its sites, as it will be when it is decided on. The figure is the
mean loss of wells, by cell type where cell types are known; as a whole, cell types weigh as told.

Source: validation in the RxRx1 system of Lin & Lin: 2 sites of 4 quadrants, logits averaged.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch

from cellwise.contracts.batch import Pool
from cellwise.learning.lesson import Ask, Judgement
from cellwise.learning.material import Material, Method
from cellwise.learning.plan import Plan
from cellwise.parts.tiles import tiles_of


def judged_wells(ask: Ask, material: Material, method: Method, plan: Plan) -> Judgement:
    """The mean loss of wells; `parts` has that of each cell type.

    Args:
        ask: The network, not training.
        material: Sites set aside.
        method: How they are shown.
        plan: `judge_weights` of cell types.
    """
    logits = site_logits(ask, material, method, device=plan.device)
    well, first = _wells(material.pool)
    count = np.bincount(well)
    total = np.zeros((len(count), logits.shape[1]))
    np.add.at(total, well, logits)
    mean = torch.from_numpy((total / count[:, None]).astype(np.float32))
    values = method.loss(mean, torch.from_numpy(material.targets[first]))
    losses = (values if values.ndim == 1 else values.mean(1)).double().numpy()
    kinds = material.pool.places.get("cell_type")
    names = material.pool.names.get("cell_type", ())
    own = None if kinds is None else kinds[first]
    if own is None or not (own >= 0).any():
        return Judgement(float(losses.mean()))
    parts = {
        names[kind]: (float(losses[own == kind].mean()), int((own == kind).sum()))
        for kind in np.unique(own[own >= 0]).tolist()
    }
    return Judgement(weighted(parts, plan.judge_weights), {k: v for k, (v, _) in parts.items()})


def weighted(parts: Mapping[str, tuple[float, int]], weights: Mapping[str, float]) -> float:
    """The mean of what parts say.

    Args:
        parts: Value and number of wells of each.
        weights: What each weighs, 0 where others are named only; as many as its wells where no
            part is named.
    """
    named = any(name in weights for name in parts)
    shares = {
        name: weights.get(name, 0.0) if named else float(wells)
        for name, (_, wells) in parts.items()
    }
    total = sum(shares.values())
    return sum(shares[name] * value for name, (value, _) in parts.items()) / total


def site_logits(
    ask: Ask, material: Material, method: Method, *, device: str
) -> npt.NDArray[np.float32]:
    """`[site, class]`: the mean over all tiles of each."""
    tile, size = method.task.tile, method.task.size
    assert size is not None
    per_site = (size // tile) ** 2
    step = max(1, method.batch // per_site)
    found = []
    for start in range(0, len(material.pool), step):
        some = np.arange(start, min(start + step, len(material.pool)))
        tiles = tiles_of(torch.from_numpy(material.read(some)).to(device), tile)
        shown = method.normalisation(tiles.flatten(0, 1))
        told = None
        if material.covariates is not None:
            rows = torch.from_numpy(material.covariates[some]).to(device)
            told = rows.repeat_interleave(per_site, dim=0)
        logits = ask(shown, covariates=told).logits
        found.append(logits.reshape(len(some), per_site, -1).mean(1).cpu().numpy())
    return np.concatenate(found)


def _wells(pool: Pool) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """`[site]` number of each well from 0, and the first site of each; a site without is one."""
    known = pool.places.get("well", np.full(len(pool), -1))
    own = np.where(known >= 0, known, known.max(initial=0) + 1 + np.arange(len(pool)))
    _, first, number = np.unique(own, return_index=True, return_inverse=True)
    return number.astype(np.int64), first.astype(np.int64)
