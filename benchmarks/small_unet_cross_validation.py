"""The small segmenter on images that its training has not seen, beside watershed on the same.

    python benchmarks/small_unet_cross_validation.py WORK [--simulated WORLD ...] [--json FILE]

All sets train one network per fold; what is held out together: a well (BBBC039), a cluster of
images alike in size, brightness and nuclear size (DSB 2018), a protein (simulated worlds, made
by `cellwise simulate WORLD --world hpa`). No setting differs between the sets. Printed are F1 of
nuclei at IoU 0.5, 0.7 and the mean over 0.5 to 0.9, pooled over nuclei, objects below 5 % of an
image's median true area left out on both sides, and the share of true cells found at IoU 0.6,
with 95 % intervals over the groups. Folds lie in WORK and are not trained again; `--fold K` trains
one of them and stops, so that several processes can share the work. `--half 0` scores every second
image of each set, on which settings such as `--split` may be chosen, and `--half 1` the others.
`--base` goes on from folds that are there, each on the images it has seen, as `train-segmenter
--base` does.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import AgglomerativeClustering
from sklearn.preprocessing import StandardScaler

from cellwise.app.cli.terminal.screen import Lines
from cellwise.app.train_segmenter.cross_validate import (
    Segment,
    deal_folds,
    figures,
    measured,
    rounded,
    tally,
    train_fold,
    trained_segmenter,
)
from cellwise.app.train_segmenter.data import Annotated, read_annotated
from cellwise.app.train_segmenter.train import TrainRequest, model_card
from cellwise.stages.segment import segmenters
from cellwise.stages.segment.small_unet.planes import typical_diameter
from cellwise.store.network_weights import read_network, write_network

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
REAL = ("bbbc039_nuclei", "dsb2018_fluorescence")
CLUSTERED = "dsb2018_fluorescence"
CLUSTERS = 10
OURS = "small_unet"


def clustered(annotated: Sequence[Annotated]) -> list[Annotated]:
    """Images of the set without wells get the cluster of their look as their group."""
    chosen = [one for one in annotated if Path(one.source).name == CLUSTERED]
    looks = StandardScaler().fit_transform(np.stack([look(one) for one in chosen]))
    numbers = AgglomerativeClustering(n_clusters=CLUSTERS).fit_predict(looks)
    groups = {one.name: f"cluster{k}" for one, k in zip(chosen, numbers, strict=True)}
    return [
        replace(one, group=groups[one.name]) if Path(one.source).name == CLUSTERED else one
        for one in annotated
    ]


def look(one: Annotated) -> npt.NDArray[np.float64]:
    """Size of the image, of its nuclei, and levels, on scales where alike means near."""
    plane = one.field.pixels[0]
    levels = np.percentile(plane, (5, 50, 95, 99.5)) + 1 / 255
    diameter = max(typical_diameter(np.asarray(one.nuclei, np.int32)), 1.0)
    return np.log([*plane.shape, diameter, *levels])


def main() -> None:
    """Train what is missing, score, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--simulated", type=Path, nargs="*", default=[])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--fold", type=int)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--half", type=int, choices=(0, 1), help="score every second image only")
    parser.add_argument("--split", type=float, help="that of the segmenter in place of its default")
    parser.add_argument("--base", type=Path, help="folds of an earlier WORK to go on from")
    parser.add_argument("--into", type=Path, help="weights whose card takes the figures")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    request = TrainRequest(
        folders=(*(asked.data / name for name in REAL), *asked.simulated),
        out=asked.work / "small_unet.safetensors",
        folds=asked.folds,
        epochs=asked.epochs,
        seed=asked.seed,
    )
    annotated = clustered(read_annotated(list(request.folders)))
    folds = deal_folds(annotated, request.folds, seed=request.seed)
    wanted = range(request.folds) if asked.fold is None else [asked.fold]
    listener = Lines()
    listener.step_started("train", total=0, unit="batch", why="")
    weights = []
    for fold in wanted:
        start = next(asked.base.glob(f"fold{fold}-*.safetensors")) if asked.base else None
        made = train_fold(
            # Going on with the same seed would show the same pieces again.
            replace(request, start=start, seed=asked.seed + (start is not None)),
            annotated,
            folds,
            fold,
            lambda done, total, note: listener.step_advanced(done, total=total, note=note),
        )
        weights.append(made)
    if asked.fold is None:
        options = {} if asked.split is None else {"split": asked.split}
        kept = of_half(annotated, asked.half)
        ours = [trained_segmenter(path, **options) for path in weights]
        rows = scored(ours, [annotated[k] for k in kept], folds[kept], seed=request.seed)
        if asked.json:
            asked.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        if asked.into:
            note_figures(asked.into, rows)


def note_figures(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the figures of the small network into the card of these weights."""
    card, tensors = read_network(path)
    own = [{k: v for k, v in row.items() if k != "who"} for row in rows if row["who"] == OURS]
    facts = {**card.facts, "held_out": own}
    write_network(path, tensors, replace(card, facts=facts))
    path.with_suffix(".md").write_text(model_card(card.name, facts), encoding="utf-8")


def of_half(annotated: Sequence[Annotated], half: int | None) -> list[int]:
    """Places of every second image of each set, from the first or the second on; None for all."""
    if half is None:
        return list(range(len(annotated)))
    sets: dict[str, list[int]] = {}
    for place, one in enumerate(annotated):
        sets.setdefault(one.source, []).append(place)
    return sorted(place for places in sets.values() for place in places[half::2])


def scored(
    ours: Sequence[Segment],
    annotated: Sequence[Annotated],
    folds: npt.NDArray[np.int64],
    *,
    seed: int,
) -> list[dict[str, Any]]:
    """Both segmenters, each network on what it has not seen, and the difference of the two."""
    peer = segmenters.build("watershed")
    rows, told = [], {}
    for name, choose in (
        (OURS, lambda fold: ours[fold]),
        ("watershed", lambda fold: peer),
    ):
        start = time.process_time()
        tallies = [tally(one, choose(fold)) for one, fold in zip(annotated, folds, strict=True)]
        spent = time.process_time() - start
        told[name] = measured(annotated, tallies, seed=seed)
        rows += [{"who": name, **row} for row in figures(annotated, tallies, seed=seed)]
        print(f"{name}: {spent:.1f} CPU seconds in all", flush=True)
    for (source, measure), (value, spread) in told[OURS].items():
        other, spread_other = told["watershed"][source, measure]
        rows.append(
            {
                "who": "difference",
                "set": Path(source).name,
                "pictures": sum(one.source == source for one in annotated),
                "measure": measure,
                **rounded(value - other, spread - spread_other),
            }
        )
    for row in rows:
        print(
            f"{row['set']:24s} {row['who']:11s} {row['measure']:38s} {row['value']:6.3f} "
            f"({row['low']:6.3f} to {row['high']:6.3f}), {row['pictures']} images"
        )
    return rows


if __name__ == "__main__":
    main()
