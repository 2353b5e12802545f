"""Acceptance of the RxRx1 simulator: its plates, its effects, and what a plain classifier sees.

    python benchmarks/simulator_acceptance_rxrx1.py [--severity default] [--classes 64]
        [--experiments 8] [--size 128] [--seed 1] [--workers 2] [--json FILE]

First the design and the effects of a full world (1,108 classes, 51 experiments), without drawing.
Then the treated wells of a small world are drawn and described by 75 plain numbers each (per
channel mean, spread, percentiles and granularity at four scales; correlations of channels), made
comparable plate by plate. Nearest class centroids, whitened by the difference of the two sites of
a training well, tell how well siRNAs are recognised
within an experiment (site 1 -> site 2, the experiment among the training ones) and across
experiments (the experiment left out, as many training experiments). Ends with 1 if a check fails.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.lab.synth.rxrx1.design import INNER_WELLS, TREATMENT, Design, make_design
from cellwise.lab.synth.rxrx1.effects import Effects, make_effects
from cellwise.lab.synth.rxrx1.field import SitePlan, render_site
from cellwise.lab.synth.rxrx1.morphology import CELL_TYPES, CHANNELS
from cellwise.lab.synth.rxrx1.severity import SEVERITIES, digest

Array = npt.NDArray[Any]
_SCALES = (0.8, 1.6, 3.2, 6.4)
_PERCENTILES = (5, 50, 95, 99)
_PER_CHANNEL = 2 + len(_PERCENTILES) + len(_SCALES)


@dataclass(frozen=True)
class Check:
    """One claim: its figure, the range it must lie in, and how many things it was counted on."""

    name: str
    value: float
    low: float
    high: float
    n: int

    @property
    def passed(self) -> bool:
        """Whether the figure lies in its range."""
        return bool(self.low <= self.value <= self.high)


@dataclass(frozen=True)
class Sample:
    """Drawn sites: `features[site, number]` and what each is, arrays of one length."""

    features: Array
    experiment: Array
    cell_type: Array
    plate: Array
    sirna: Array
    site: Array
    place: Array
    strength: Array
    aberrant: Array


def features(pixels: Array) -> Array:
    """Describe one site `[channel, y, x]` by plain numbers."""
    found: list[float] = []
    for plane in pixels.astype(np.float32):
        light = np.sqrt(plane + 0.4)
        found += [light.mean(), light.std(), *np.percentile(light, _PERCENTILES)]
        for scale in _SCALES:
            smooth = cv2.GaussianBlur(light, (0, 0), scale)
            found.append(float(np.log((light - smooth).std() + 1e-3)))
            light = smooth
    flat = pixels.reshape(len(pixels), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    # A channel without any contrast goes with none.
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    return np.array([*found, *(flat @ flat.T)[np.triu_indices(len(pixels), 1)]])


def draw(plan: SitePlan) -> Array:
    """Features of one site; runs in a worker."""
    return features(render_site(plan).pixels)


def sample(effects: Effects, *, size: int, workers: int) -> Sample:
    """Draw all treated wells of a world."""
    plans, rows = [], []
    for experiment in effects.design.experiments:
        for well in effects.design.wells(experiment):
            if well.kind != TREATMENT:
                continue
            state = effects.of_well(experiment, well)
            plate = f"{experiment.name}_{well.plate}"
            strength = effects.strength(well.sirna)
            for site in (1, 2):
                plans.append(
                    SitePlan(
                        effects.design.seed,
                        f"{well.id_code}_{site}",
                        size,
                        experiment.cell_type,
                        state.steps,
                        state.camera,
                    )
                )
                place = INNER_WELLS.index(well.name)
                known = (experiment.name, experiment.cell_type, plate, well.sirna, site)
                rows.append((*known, place, strength, experiment.aberrant))
    if workers > 1:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context) as pool:
            found = list(pool.map(draw, plans, chunksize=16))
    else:
        found = [draw(plan) for plan in plans]
    return Sample(np.array(found), *(np.array(column) for column in zip(*rows, strict=True)))


def by_plate(drawn: Sample) -> Array:
    """Features less their plate's mean, over their plate's spread."""
    result = np.empty_like(drawn.features)
    for plate in np.unique(drawn.plate):
        own = drawn.plate == plate
        block = drawn.features[own]
        result[own] = (block - block.mean(axis=0)) / (block.std(axis=0) + 1e-6)
    return result


def as_they_are(drawn: Sample) -> Array:
    """Features over their spread in the whole world: batch effects stay in."""
    return np.asarray(drawn.features / (drawn.features.std(axis=0) + 1e-6))


def recognised(drawn: Sample, table: Array, *, train: Array, test: Array,
               allowed: Callable[[int], set[int]] | None = None) -> Array:  # fmt: skip
    """Whether each test site's nearest centroid is that of its siRNA.

    Args:
        drawn: What the sites are.
        table: Their features.
        train: True for the sites that make the centroids (site 1 of their wells).
        test: True for the sites that are asked for.
        allowed: Which siRNAs may be the answer where this one is true; all by default.
    """
    wells = np.isin(drawn.experiment, np.unique(drawn.experiment[train]))
    noise = np.cov((table[wells & (drawn.site == 1)] - table[wells & (drawn.site == 2)]).T)
    size, axes = np.linalg.eigh(noise + 0.01 * np.trace(noise) / len(noise) * np.eye(len(noise)))
    white = table @ (axes / np.sqrt(size))
    classes = np.unique(drawn.sirna[train])
    centroids = np.array([white[train & (drawn.sirna == c)].mean(axis=0) for c in classes])
    far = ((white[test][:, None] - centroids) ** 2).sum(axis=2)
    if allowed is not None:
        for row, sirna in enumerate(drawn.sirna[test]):
            far[row, ~np.isin(classes, list(allowed(int(sirna))))] = np.inf
    return np.asarray(classes[far.argmin(axis=1)] == drawn.sirna[test])


def recognition(drawn: Sample, design: Design) -> dict[str, Array]:
    """Hits per test site under each rule; test sites are those of experiments that are not odd."""
    standard, raw = by_plate(drawn), as_they_are(drawn)
    group = {s: set(members) for members in design.groups for s in members}
    names = ("within", "across", "group known", "within raw", "across raw", "other type", "idle")
    hits: dict[str, list[Array]] = {name: [] for name in (*names, "aberrant")}
    first = drawn.site == 1
    for held in np.unique(drawn.experiment):
        own = drawn.experiment == held
        kind = drawn.cell_type[own][0]
        plain = np.unique(
            drawn.experiment[(drawn.cell_type == kind) & ~drawn.aberrant & ~own]
        ).tolist()
        test = own & ~first
        across = first & np.isin(drawn.experiment, plain)
        if drawn.aberrant[own].all():
            hits["aberrant"].append(recognised(drawn, standard, train=across, test=test))
            continue
        if not plain:
            continue
        within = first & np.isin(drawn.experiment, [held, *plain[1:]])
        found = recognised(drawn, standard, train=across, test=test)
        hits["across"].append(found)
        hits["idle"].append(found[drawn.strength[test] == 0])
        hits["within"].append(recognised(drawn, standard, train=within, test=test))
        hits["group known"].append(
            recognised(drawn, standard, train=across, test=test, allowed=group.__getitem__)
        )
        hits["within raw"].append(recognised(drawn, raw, train=within, test=test))
        hits["across raw"].append(recognised(drawn, raw, train=across, test=test))
        others = first & (drawn.cell_type != kind) & ~drawn.aberrant
        if others.any():
            hits["other type"].append(recognised(drawn, standard, train=others, test=test))
    return {name: np.concatenate(found) for name, found in hits.items() if found}


def spreads(drawn: Sample) -> tuple[float, float]:
    """Spread of the mean light between plates, and between siRNAs of a plate; odd ones left out."""
    light = drawn.features[:, : _PER_CHANNEL * len(CHANNELS) : _PER_CHANNEL]
    batch, treatment = [], []
    for kind in np.unique(drawn.cell_type):
        own = (drawn.cell_type == kind) & ~drawn.aberrant
        rest = light[own].copy()
        means = []
        for plate in np.unique(drawn.plate[own]):
            means.append(light[own & (drawn.plate == plate)].mean(axis=0))
            rest[drawn.plate[own] == plate] -= means[-1]
        batch.append(np.var(means, axis=0, ddof=1))
        one = [rest[drawn.sirna[own] == s] for s in np.unique(drawn.sirna[own])]
        noise = np.mean([block.var(axis=0, ddof=1) / len(block) for block in one], axis=0)
        treatment.append(np.var([b.mean(axis=0) for b in one], axis=0) - noise)
    typical = np.sqrt(np.maximum(np.mean(treatment), 0))
    return float(np.sqrt(np.mean(batch))), float(typical)


def design_checks(seed: int, severity: str) -> list[Check]:
    """Claims about the full world, from the seed alone."""
    design = make_design(seed, classes=1108, experiments=51)
    effects = make_effects(design, SEVERITIES[severity])
    once, plates = 0, []
    for experiment in design.experiments:
        wells = [well for well in design.wells(experiment) if well.kind == TREATMENT]
        once += Counter(well.sirna for well in wells) == Counter(range(1108))
        for plate in (1, 2, 3, 4):
            plates.append(frozenset(w.sirna for w in wells if w.plate == plate))
    strength = np.array([effects.strength(s) for s in range(1108)])
    types = [np.array([effects.of_sirna(s, t) for s in range(1108)]).ravel() for t in CELL_TYPES]
    agreement = np.corrcoef(types)[np.triu_indices(len(types), 1)]
    moved = strength[strength > 0]
    asked = SEVERITIES[severity]
    error = 3 * 1.25 * asked.strength_spread / np.sqrt(len(moved))
    return [
        Check("experiments where each siRNA lies once", once, 51, 51, 51),
        Check("different groups on all plates", len(set(plates)), 4, 4, len(plates)),
        Check("siRNAs without effect", float((strength == 0).mean()), 0.195, 0.205, 1108),
        Check("log of median effect over asked", float(np.log(np.median(moved) / asked.strength)),
              -error, error, len(moved)),
        Check("agreement of cell types", float(agreement.mean()), 0.47, 0.53, 6),
    ]  # fmt: skip


def image_checks(drawn: Sample, design: Design, *, batch_size: float) -> list[Check]:
    """Claims about drawn sites; batch effects of size 1 and above outweigh most siRNAs."""
    least = 1.2 * min(batch_size, 1.0)
    chance = 1 / design.classes
    hits = recognition(drawn, design)
    rate = {name: float(found.mean()) for name, found in hits.items()}
    batch, treatment = spreads(drawn)
    ratio = min(batch / max(treatment, 1e-9), 1e3)
    checks = [
        Check(f"recognised, {name}", rate[name], 0, 1, len(hits[name])) for name in rate
    ]  # fmt: skip
    n = len(hits["across"])
    error = np.sqrt(2 * 0.25 / n)
    checks += [
        Check("across, times chance", rate["across"] / chance, 2.5, 1 / chance, n),
        Check("within less across", rate["within"] - rate["across"], 3 * error, 1, n),
        Check("plate-wise less raw, across", rate["across"] - rate["across raw"], 0.0, 1, n),
        Check("group known less across", rate["group known"] - rate["across"], 0.0, 1, n),
        Check("spread of plates over siRNAs", ratio, least, 1e3, len(drawn.site)),
        Check("place alone, times chance", place_alone(drawn) / chance, 0, 3, n),
    ]
    # That a siRNA does nothing can be seen, but not which of those that do nothing it is.
    idle, alike = len(hits["idle"]), len(np.unique(drawn.sirna[drawn.strength == 0]))
    most = 1 / alike + 3 * np.sqrt(1 / alike / idle)
    checks.append(Check("recognised among idle ones", rate["idle"], 0, most, idle))
    return [*checks, *odd_checks(drawn)]


def place_alone(drawn: Sample) -> float:
    """How often the well's place names the siRNA: majority over the other experiments."""
    hits = []
    for held in np.unique(drawn.experiment):
        own = drawn.experiment == held
        for place, sirna in set(zip(drawn.place[own], drawn.sirna[own], strict=True)):
            seen = drawn.sirna[~own & (drawn.place == place)]
            hits.append(len(seen) > 0 and Counter(seen.tolist()).most_common(1)[0][0] == sirna)
    return float(np.mean(hits))


def odd_checks(drawn: Sample) -> list[Check]:
    """An aberrant experiment's light lies further from its type's than that of the others."""
    light = np.log(drawn.features[:, : _PER_CHANNEL * len(CHANNELS) : _PER_CHANNEL])
    odd: list[float] = []
    plain: list[float] = []
    for kind in np.unique(drawn.cell_type):
        own = drawn.cell_type == kind
        means = {
            e: light[own & (drawn.experiment == e)].mean(axis=0)
            for e in np.unique(drawn.experiment[own])
        }
        middle = np.median(list(means.values()), axis=0)
        for name, mean in means.items():
            aberrant = drawn.aberrant[drawn.experiment == name].all()
            (odd if aberrant else plain).append(float(np.sqrt(((mean - middle) ** 2).mean())))
    if not odd:
        return []
    return [Check("odd experiments' distance over others'", float(np.mean(odd) / np.mean(plain)),
                  1.3, 20, len(odd))]  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--severity", choices=list(SEVERITIES), default="default")
    parser.add_argument("--classes", type=int, default=64)
    parser.add_argument("--experiments", type=int, default=8)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    design = make_design(given.seed, classes=given.classes, experiments=given.experiments)
    started = time.perf_counter()
    severity = SEVERITIES[given.severity]
    drawn = sample(make_effects(design, severity), size=given.size, workers=given.workers)
    rate = len(drawn.site) / (time.perf_counter() - started) / given.workers
    seen = image_checks(drawn, design, batch_size=severity.batch)
    checks = [*design_checks(given.seed, given.severity), *seen]
    print(f"RxRx1 world, severity {given.severity} ({digest(severity)[:16]}), seed {given.seed}")
    print(f"{len(drawn.site)} sites of {given.size} px, {rate:.1f} sites/s and worker\n")
    for check in checks:
        verdict = "ok  " if check.passed else "FAIL"
        limits = f"{check.low:.3g} to {check.high:.3g}"
        print(f"{verdict} {check.name:42s} {check.value:8.3f}   {limits:18s} n {check.n}")
    if given.json:
        rows = [{**asdict(check), "passed": check.passed} for check in checks]
        options = {name: str(value) for name, value in vars(given).items()}
        content = {"options": options, "sites_per_second": rate, "checks": rows}
        given.json.write_text(json.dumps(content, indent=1))
    sys.exit(0 if all(check.passed for check in checks) else 1)


if __name__ == "__main__":
    main()
