"""A finished run whose fields and cells are known, for tests of audits."""

import json

import numpy as np
import polars as pl

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Masks, Site
from cellwise.domain.tables import FOLDS, PREDICTIONS, SITES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import write_masks
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table

FIELDS = {
    f"f{n:02}": ("a", "b") if n % 4 == 0 else (("a",) if n % 2 else ("none",)) for n in range(24)
}
EACH = 12


def mask():
    """Twelve cells of 2 by 2 pixels in a row, and background between them."""
    labels = np.zeros((4, EACH * 3), np.uint16)
    for number in range(EACH):
        labels[1:3, 3 * number : 3 * number + 2] = number + 1
    return labels


def make_run(folder):
    """A finished run of 24 labelled fields and one without label, and what its cells show."""
    run = RunFolder(folder / "run")
    file = (ChannelFile(Channel("dna"), ("x.png",)),)
    fields = {**FIELDS, "u": None}
    sites = [Site(i, i, file, "train", labels) for i, labels in fields.items()]
    write_table(run.sites, SITES, sites_to_frame(sites, {}))
    names = {"names": ["a", "b", "c", "none"], "negative": "none"}
    run.reading.write_text(json.dumps({"classes": names}))
    folds = pl.DataFrame({"site_id": list(FIELDS), "fold": [n % 3 for n in range(24)]})
    write_table(run.folds, FOLDS, folds.with_columns(pl.col("site_id").alias("group")))
    for site in fields:
        write_masks(run.masks, site, Masks(mask(), mask()))
    random = np.random.default_rng(5)
    rows = [(site, cell + 1) for site in fields for cell in range(EACH)]
    has = np.array([[name in (fields[site] or ()) for name in "ab"] for site, _ in rows])
    shown = random.random(has.shape) < np.where(has, 0.6, 0.1)
    chance = 1 / (1 + np.exp(-(2.5 * (shown - 0.5) + random.normal(0, 1, has.shape))))
    frame = pl.DataFrame({"site_id": [r[0] for r in rows], "cell_id": [r[1] for r in rows]})
    frame = frame.join(folds, on="site_id", how="left", maintain_order="left").with_columns(
        pl.lit("cell").alias("unit"), pl.lit("train").alias("part"),
        pl.Series("Prob_a", chance[:, 0]), pl.Series("Prob_b", chance[:, 1]),
        pl.lit(0.1).alias("Prob_c"),
        (3.0 * (pl.col("cell_id") - 1) + 0.5).alias("x"), pl.lit(1.5).alias("y"),
        pl.lit(4).alias("area"), pl.lit(value=False).alias("border"),
        pl.lit(None, pl.Float32).alias("Uncertainty"),
        *(pl.lit([], pl.List(pl.String)).alias(n) for n in ("Labels", "Weak_labels")),
    )  # fmt: skip
    write_table(run.predictions, PREDICTIONS, frame)
    truth = {
        row: "|".join(np.array(["a", "b"])[s]) or "none" for row, s in zip(rows, shown, strict=True)
    }
    return run, truth, has[:-EACH], shown[:-EACH]
