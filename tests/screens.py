"""A small screen as a run folder: wells on plates of a known design, scored, to be decided."""

import json
from pathlib import Path

import numpy as np
import polars as pl

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.tables import EMBEDDINGS, FOLDS, SCORES, SITES
from cellwise.store.run.embeddings import index_path, seal, write_vectors
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.scores import as_stored
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import empty_frame, write_table

CONTROLS = 2


class Screen:
    """`experiments` of two cell types, four plates each; the last ones are the test part.

    Treatments t00.. lie in four groups, each once on a plate of its group; c0 is the positive, c1
    the negative control. `logits[site]` follow the truth by `signal`, with a preference of each
    experiment; test sites have no labels unless `told`.
    """

    def __init__(
        self, folder: Path, *, seed=0, experiments=5, size=4, tests=2, signal=4.0, shift=1.0,
        told=False, twice=False,
    ):  # fmt: skip
        self.run, rng = RunFolder(folder), np.random.default_rng(seed)
        names = [f"t{k:02d}" for k in range(4 * size)]
        self.classes = (*(f"c{k}" for k in range(CONTROLS)), *names)
        group = rng.permutation(np.repeat(np.arange(4), size))
        rows = []
        for e in range(experiments):
            kind = "HUVEC" if e % 2 else "U2OS"
            name, test = f"{kind}-{e:02d}", e >= experiments - tests
            start, bias = rng.integers(4), shift * rng.normal(size=len(self.classes))
            for p in range(4):
                own = rng.permutation(np.flatnonzero(group == (start + p) % 4)) + CONTROLS
                if twice and e == 0:
                    own = own[[0, 0, *range(2, len(own))]]
                kinds = [(k, "treatment") for k in own]
                kinds += [(0, "positive_control"), (1, "negative_control")]
                for place, (k, kind_of_well) in enumerate(kinds):
                    for s in (1, 2):
                        logits = rng.normal(size=len(self.classes)) + bias
                        logits[k] += signal
                        rows.append((name, p + 1, f"B{place + 2:02d}", s, k, kind_of_well,
                                     kind, test, e, logits))  # fmt: skip
        self.rows = rows
        self._write(told)

    def _write(self, told):
        file = (ChannelFile(Channel("w1", "nucleus"), ("x.png",)),)
        sites, folds, scores, self.truth = [], [], [], {}
        for name, p, well, s, k, kind_of_well, kind, test, e, logits in self.rows:
            site = f"{name}_{p}_{well}_{s}"
            meta = {"Experiment": name, "Plate": f"{name}_{p}",
                    "Well": well, "CellType": kind,
                    "WellType": kind_of_well}  # fmt: skip
            hidden = test and not told and kind_of_well == "treatment"
            labels = None if hidden else (self.classes[k],)
            sites.append(Site(site, site, file, "test" if test else "train", labels, meta))
            folds.append((site, None if test else e % 2, name))
            scores.append((site, None if test else e % 2, logits))
            self.truth[f"{name}/{name}_{p}/{well}"] = self.classes[k]
        write_table(self.run.sites, SITES, sites_to_frame(sites, {}))
        listed = {"classes": {"names": list(self.classes), "negative": None}}
        self.run.reading.write_text(json.dumps(listed))
        schema = {"site_id": pl.String, "fold": pl.Int32, "group": pl.String}
        write_table(self.run.folds, FOLDS, pl.DataFrame(folds, schema=schema, orient="row"))
        self.scores("tiles", scores)

    def scores(self, name, scores):
        """Write a score table of sites: `(site_id, fold, logits)`."""
        kind = pl.Array(pl.Float32, len(self.classes))
        vectors = np.array([logits for _, _, logits in scores], np.float32)
        frame = pl.DataFrame(
            {
                "unit": ["site"] * len(scores),
                "site_id": [site for site, _, _ in scores],
                "cell_id": pl.Series([None] * len(scores), dtype=pl.Int32),
                "fold": pl.Series([fold for _, fold, _ in scores], dtype=pl.Int32),
                "model": ["m"] * len(scores),
                "score": pl.Series(vectors, dtype=kind),
                "spread": pl.Series(np.zeros_like(vectors), dtype=kind),
            }
        )
        write_table(self.run.scores(name), SCORES, as_stored(frame), classes=self.classes)

    def embed(self, name):
        """Give every site a vector: its logits, of the network that left its fold out."""
        folder, rows = self.run.embeddings(name), []
        for experiment, p, well, s, _, _, _, test, e, logits in self.rows:
            site = f"{experiment}_{p}_{well}_{s}"
            fold = None if test else e % 2
            shard = write_vectors(folder, site, logits[None], dtype="float32")
            rows.append(("site", site, None, shard, 0, len(logits), fold, f"net/{fold}"))
        index = pl.DataFrame(rows, schema=empty_frame(EMBEDDINGS).schema, orient="row")
        write_table(index_path(folder), EMBEDDINGS, index)
        seal(folder, index, "float32", {})
