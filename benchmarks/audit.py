"""How often the 90 % intervals of an audit hold the truth, and how wide they are.

    python benchmarks/audit.py [--json FILE] [--worlds 20] [--judged 200] [--fields 300]

Each world has fields of 8 to 20 cells, three to a group, with labels of four classes, from frequent
to rare, and 8 numbers for each cell that tell classes apart but not well. In fields with a class
some of the cells show it, in fields without it few do. Logistic regressions learn inherited labels
of four fifths of the groups and speak of the rest, as in a run. Then cells are drawn and judged
without error. Bounds without judged cells are set beside the truth: (1) assumes that each label is
shown in its field, (2) that cells also show one class only, which does not hold in these worlds.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from cellwise.measures.audit import (
    Judged,
    false_share,
    missed_share,
    positives_bounds,
    weights,
)
from cellwise.measures.random_draw import drawn_by_strata, strata_of, worth
from cellwise.measures.weighted import Share

NAMES = ("frequent", "common", "uncommon", "rare")
HAVE = (0.5, 0.3, 0.12, 0.05)
# Shares of cells that show the class: in fields with it (a beta of mean 0.6, of the rare one 0.2).
SHOW = ((3, 2), (3, 2), (3, 2), (2, 8))
MISS = ((0.3, 6), (0.3, 8), (0.3, 20), (0.3, 60))
FOLDS, NUMBERS = 5, 8


def world(seed: int, fields: int, judged: int) -> list[dict[str, Any]]:
    """Shares and bounds of each class of one world, beside the truth."""
    random = np.random.default_rng(seed)
    site = np.repeat(np.arange(fields), random.integers(8, 21, fields))
    group = site // 3
    has = np.stack([random.random(fields) < share for share in HAVE], axis=1)
    shown = np.stack(
        [
            random.random(len(site))
            < np.where(has[:, k], random.beta(*SHOW[k], fields), random.beta(*MISS[k], fields))[
                site
            ]
            for k in range(len(NAMES))
        ],
        axis=1,
    )
    # Each label is shown by a cell of its field, as people give labels.
    _, first = np.unique(site, return_index=True)
    bare = has & (np.add.reduceat(shown, first, axis=0) == 0)
    shown[first] |= bare
    axes = random.normal(0, 1, (len(NAMES), NUMBERS))
    vectors = shown @ axes + random.normal(0, 1.5, (len(site), NUMBERS))
    vectors += random.normal(0, 0.5, (fields, NUMBERS))[site]
    inherited = has[site]
    chance = out_of_fold(vectors, inherited, group % FOLDS)
    stratum = strata_of(worth(inherited, chance), random)
    drawn = np.zeros(len(site), bool)
    drawn[drawn_by_strata(stratum, judged, random)] = True
    weight = weights(np.bincount(stratum), np.where(drawn, stratum, -1), drawn)
    return [
        compared(
            name,
            Judged(
                inherited[:, k], chance[:, k], np.where(drawn, shown[:, k], np.nan), weight, group
            ),
            shown[:, k],
            positives_bounds(np.bincount(site, minlength=fields)[has[:, k]], has[has[:, k]].sum(1)),
        )
        for k, name in enumerate(NAMES)
    ]


def out_of_fold(vectors: Any, inherited: Any, fold: Any) -> Any:
    """`[cell, class]`: what models of the other folds say."""
    chance = np.zeros(inherited.shape)
    for number in range(FOLDS):
        held = fold == number
        for k in range(inherited.shape[1]):
            model = LogisticRegression().fit(vectors[~held], inherited[~held, k])
            chance[held, k] = model.predict_proba(vectors[held])[:, 1]
    return chance


def compared(name: str, cells: Judged, shown: Any, bounds: tuple[int, int]) -> dict[str, Any]:
    """One class of one world."""
    false = int((cells.inherited & ~shown).sum())
    return {
        "class": name,
        "false": _held(false_share(cells), false / cells.inherited.sum()),
        "missed": _held(missed_share(cells), (shown & ~cells.inherited).sum() / shown.sum()),
        "below_most": false <= bounds[1],
        "above_least": false >= bounds[0],
    }


def _held(share: Share, true: float) -> dict[str, float]:
    return {
        "true": float(true),
        "value": share.value,
        "held": float(share.low <= true <= share.high),
        "width": share.high - share.low,
    }


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--judged", type=int, default=200)
    parser.add_argument("--fields", type=int, default=300)
    asked = parser.parse_args()
    rows = [one for seed in range(asked.worlds) for one in world(seed, asked.fields, asked.judged)]
    table = []
    for name in NAMES:
        mine = [row for row in rows if row["class"] == name]
        for what in ("false", "missed"):
            of = {key: [row[what][key] for row in mine] for key in mine[0][what]}
            table.append(
                {
                    "class": name,
                    "share": what,
                    "true": float(np.mean(of["true"])),
                    "error": float(np.nanmean(np.subtract(of["value"], of["true"]))),
                    "held": float(np.mean(of["held"])),
                    "width": float(np.mean(of["width"])),
                    "worlds": len(mine),
                }
            )
        held = {key: sum(row[key] for row in mine) for key in ("below_most", "above_least")}
        table.append({"class": name, "share": "bounds", **held, "worlds": len(mine)})
    for row in table:
        print("  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{v}" for k, v in row.items()))
    every = [row[what] for row in rows for what in ("false", "missed")]
    print(
        f"all: held {np.mean([e['held'] for e in every]):.3f}, mean width "
        f"{np.mean([e['width'] for e in every]):.3f}, n {len(every)}"
    )
    if asked.json:
        asked.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
