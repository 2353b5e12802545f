"""A tiny screen in the layout of RxRx1 whose treatments are known: two plates."""

import numpy as np
import polars as pl

from cellwise.store.worlds.rxrx1_folder import SitePlace, write_planes
from cellwise.store.worlds.truth import write_truth_sites, write_world

SIZE, TREATMENTS, CONTROL = 16, 4, 4
ROWS = """format: 1
seeds: 1
floor: free
worlds:
  - {name: screen, world: folder, make: {path: screen}}
rows:
  - {name: free, recipe: wells.yaml, about: The images alone.}
  - {name: grouped, recipe: wells.yaml, against: [free], set: [assign.design=groups],
     expect: better, source: a team}
  - {name: adapted, recipe: adapted.yaml, against: [free]}
"""
WELLS = """format: 1
steps:
  - read:
  - statistics:
  - train: {as: net, task: {name: tile, size: 16, tile: 16, order: alike}, normalise: plate,
            net: {name: tiny, width: 4, norm: batch}, loss: {name: softmax, none: false},
            class_weights: none, controls: left_out, epochs: 2, batch: 4, augment: []}
  - score: {as: net, model: net, by: tiles}
  - assign: {from: net}
  - report:
"""
ADAPTED = WELLS.replace(
    "  - score: {as: net, model: net, by: tiles}",
    "  - adapt: {model: net, by: plate, batch: 4}\n"
    "  - score: {as: net, model: net, by: tiles, adapted: adapt}",
)


def write_screen(home, *, experiments=4, rows=ROWS):
    """The world and its rows file; the last experiment is the test part. Returns the file."""
    folder, random = home / "screen", np.random.default_rng(0)
    tables, sites = {"train": [], "test": [], "controls": []}, []
    for e in range(1, experiments + 1):
        part = "test" if e == experiments else "train"
        for plate in (1, 2):
            group = (plate + e) % 2
            for k, sirna in enumerate((2 * group, 2 * group + 1, CONTROL)):
                place = SitePlace(part, f"RPE-0{e}", plate, f"B0{k + 2}", 1)
                pixels = random.normal(20 * e, 4, (6, SIZE, SIZE))
                pixels[sirna] += 60
                write_planes(folder, place, pixels.clip(0, 255).astype(np.uint8))
                row = [place.id_code, place.experiment, str(plate), place.well]
                if sirna == CONTROL:
                    tables["controls"].append((part, [*row, str(sirna), "negative_control"]))
                else:
                    tables[part].append(row if part == "test" else [*row, str(sirna)])
                sites.append({"site_id": place.site_id, "classes": str(sirna)})
    head = "id_code,experiment,plate,well"
    for part, names in (("train", f"{head},sirna"), ("test", head)):
        lines = [names, *map(",".join, tables[part])]
        (folder / f"{part}.csv").write_text("\n".join(lines) + "\n")
        own = [",".join(row) for of, row in tables["controls"] if of == part]
        text = "\n".join([f"{head},sirna,well_type", *own]) + "\n"
        (folder / f"{part}_controls.csv").write_text(text)
    write_truth_sites(folder / "truth", pl.DataFrame(sites))
    write_world(folder / "truth", {"world": "screen"})
    (home / "wells.yaml").write_text(WELLS)
    (home / "adapted.yaml").write_text(ADAPTED)
    (home / "rows.yaml").write_text(rows)
    return home / "rows.yaml"
