"""Whether profiles of wells treated alike are alike: retrieval, correlation, what varies by what.

Source: replicate retrieval of Kalinin et al. 2025 (Nature Communications 16:5181); the share of
treatments that replicate beyond chance of Way et al. 2022 (Cell Systems 13:911).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.units import EXPERIMENT, PLATE
from cellwise.kernels.retrieval import retrieve
from cellwise.measures.bootstrap import weight_chunks
from cellwise.measures.intervals import interval
from cellwise.stages.evaluate.results import Results
from cellwise.store.run.metrics import Metric

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

_SHOWN, _NULLS = 2000, 2000
_NULL_SHARE = 0.95


def replica_results(profiles: pl.DataFrame, *, draws: int, seed: int) -> Results:
    """Figures of treated wells with a known treatment, of those that are given.

    Args:
        profiles: Rows of the table of profiles, without controls, each with a `class`. Wells of
            different networks (`model`) are never compared.
        draws: Bootstrap draws of whole treatments.
        seed: Of the draws.
    """
    vectors = profiles["vector"].to_numpy().astype(np.float64)
    treatment, plate, position, model = (
        _numbered(profiles[name]) for name in ("class", PLATE, "position", "model")
    )
    found = retrieve(vectors, treatment, plate, position, model)
    kinds, mean, chance = found.mean(treatment)
    detail: dict[str, Any] = {
        "wells": len(profiles), "treatments": len(kinds),
        "variance": _variance(profiles, vectors, model), "map": _map(profiles, vectors, seed),
    }  # fmt: skip
    if not len(kinds):
        return Results({}, {"profiles": detail}, (
            "No treatment stands on two plates at two places that one network left out: replicates "
            "cannot be compared.",
        ))  # fmt: skip
    metrics = {
        "retrieval_map": _mean(mean, draws, seed),
        "retrieval_map_by_chance": _mean(chance, draws, seed),
    }
    names = profiles["class"].to_numpy()
    first = np.unique(treatment, return_index=True)[1]
    detail["retrieval"] = [
        {"treatment": str(names[first[kind]]), "map": float(one), "chance": float(two)}
        for kind, one, two in zip(kinds, mean, chance, strict=True)
    ]
    own, null = _correlations(vectors, treatment, plate, model, seed)
    metrics["replicate_correlation"] = _mean(own, draws, seed)
    detail["correlation"] = {
        "null_95": float(np.quantile(null, _NULL_SHARE)), "own": np.sort(own).tolist(),
    }  # fmt: skip
    beyond = (own > np.quantile(null, _NULL_SHARE)).astype(np.float64)
    metrics["replicating_share"] = _mean(beyond, draws, seed)
    return Results(metrics, {"profiles": detail})


def _numbered(names: pl.Series) -> Numbers:
    found = np.unique(names.fill_null("").to_numpy(), return_inverse=True)[1].reshape(-1)
    return np.where(names.is_null().to_numpy(), -1, found)


def _mean(values: Floats, draws: int, seed: int) -> Metric:
    """The mean over treatments, with the interval of whole treatments drawn."""
    groups = np.arange(len(values))
    drawn = [
        (w @ values) / np.maximum(w.sum(axis=1), 1)
        for w in weight_chunks(groups, draws=draws, seed=seed)
    ]
    return Metric(float(values.mean()), *interval(np.concatenate(drawn)), len(values), "treatment")


def _correlations(
    vectors: Floats, treatment: Numbers, plate: Numbers, model: Numbers, seed: int
) -> tuple[Floats, Floats]:
    """Mean cosine between wells of a treatment on other plates, and of random wells of others."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.where(length > 0, length, 1)
    own = []
    for kind in np.unique(treatment):
        rows = np.flatnonzero(treatment == kind)
        apart = (plate[rows][:, None] != plate[rows]) & (model[rows][:, None] == model[rows])
        if apart.any():
            own.append(float((units[rows] @ units[rows].T)[apart].mean()))
    random = np.random.default_rng(seed)
    sizes = np.bincount(treatment)
    sizes = sizes[sizes > 1]
    null = []
    for size in random.choice(sizes, _NULLS) if len(sizes) else ():
        rows = random.choice(len(vectors), size, replace=False)
        apart = (treatment[rows][:, None] != treatment[rows]) & (
            plate[rows][:, None] != plate[rows]
        )
        apart &= model[rows][:, None] == model[rows]
        if apart.any():
            null.append(float((units[rows] @ units[rows].T)[apart].mean()))
    return np.array(own), np.array(null or [0.0])


def _variance(profiles: pl.DataFrame, vectors: Floats, model: Numbers) -> dict[str, float]:
    """Share of the variance within networks that groups explain beyond chance (omega squared)."""
    found = {}
    centre = vectors - _group_means(vectors, model)
    total = float(np.square(centre).sum())
    for name in (EXPERIMENT, PLATE, "cell_type", "class", "position"):
        # Numbers of two networks mean different things: their means are not one.
        pairs = np.stack([_numbered(profiles[name]), model], axis=1)
        groups = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
        k, n = len(np.unique(groups)), len(groups)
        if 1 < k < n and total > 0:
            between = float(np.square(_group_means(centre, groups)).sum())
            within = (total - between) / (n - k)
            share = (between - (k - 1) * within) / (total + within)
            found["treatment" if name == "class" else name] = max(0.0, share)
    return found


def _group_means(vectors: Floats, group: Numbers) -> Floats:
    number = np.unique(group, return_inverse=True)[1].reshape(-1)
    total = np.zeros((int(number.max(initial=-1)) + 1, vectors.shape[1]))
    np.add.at(total, number, vectors)
    return np.asarray((total / np.bincount(number)[:, None])[number])


def _map(profiles: pl.DataFrame, vectors: Floats, seed: int) -> dict[str, Any]:
    """The first two principal components of some wells of one network, the one with most wells."""
    model = profiles["model"].value_counts(sort=True)["model"][0]
    rows = np.flatnonzero((profiles["model"] == model).to_numpy())
    if len(rows) > _SHOWN:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _SHOWN, replace=False))
    centre = vectors[rows] - vectors[rows].mean(axis=0)
    left, singular, _ = np.linalg.svd(centre, full_matrices=False)
    power = np.square(singular)
    places = np.zeros((len(rows), 2))
    kept = min(2, left.shape[1])
    places[:, :kept] = left[:, :kept] * singular[:kept]
    named = profiles[rows.tolist()]
    return {
        "x": row_rounded(places[:, 0]), "y": row_rounded(places[:, 1]),
        "share": (power[:2] / max(float(power.sum()), 1e-30)).tolist(),
        "well": named["well"].to_list(), "experiment": named[EXPERIMENT].to_list(),
        "treatment": named["class"].to_list(), "cell_type": named["cell_type"].to_list(),
    }  # fmt: skip


def row_rounded(values: Floats) -> list[float]:
    """Numbers to four digits: what is drawn needs no more."""
    return [float(f"{value:.4g}") for value in values]
