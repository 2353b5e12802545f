"""The columns of every stored table: names and types, in one place.

`Metadata_*`, measurement and `Prob_*` columns come on top where a table says `open`.
"""

from dataclasses import dataclass

FORMAT = 1


@dataclass(frozen=True, slots=True)
class TableKind:
    """A kind of table: fixed columns (name to type), sort order, and whether more may follow."""

    name: str
    columns: dict[str, str]
    sort: tuple[str, ...]
    open: bool = False


SITES = TableKind(
    "sites",
    {
        "site_id": "string",
        "raw_id": "string",
        "part": "string",
        "channel": "string",
        "role": "string",
        "paths": "list<string>",
        "plane": "int32",
        "colour": "bool",
        "size": "int64",
        "mtime_ns": "int64",
        "height": "int32",
        "width": "int32",
        "dtype": "string",
        "scale": "string",
        "pixel_size": "float64",
        "labels": "list<string>",
        "status": "string",
    },
    sort=("site_id", "channel"),
    open=True,
)
PIXELS = TableKind(
    "pixels",
    {
        "site_id": "string",
        "channel": "string",
        "sha256": "string",
        "minimum": "float32",
        "maximum": "float32",
        "mean": "float32",
        "saturated": "float32",
        "focus": "float32",
        "flags": "list<string>",
    },
    sort=("site_id", "channel"),
)
STATISTICS = TableKind(
    "statistics",
    {
        "site_id": "string",
        "channel": "string",
        "mean": "float64",
        "std": "float64",
        "median": "float64",
        "minimum": "float32",
        "maximum": "float32",
    },
    sort=("site_id", "channel"),
)
SEGMENTATION = TableKind(
    "segmentation",
    {
        "site_id": "string",
        "overlapped_pixels": "int64",
        "outlines_lost": "int64",
        "outlines_skipped": "int64",
    },
    sort=("site_id",),
)
KNOWN_FILES = TableKind(
    "files",
    {
        "folder": "string",
        "path": "string",
        "size": "int64",
        "mtime_ns": "int64",
        "ctime_ns": "int64",
        "inode": "int64",
        "sha256": "string",
        "content": "string",
    },
    sort=("folder", "path"),
)
FINGERPRINTS = TableKind(
    "fingerprints",
    {
        "site_id": "string",
        "channel": "string",
        # Words of 64 bits, each as two numbers; see `kernels.fingerprints`.
        "print": "list<int32>",
        # Of the channel of the protein: the largest mean of a cell's brightest pixels, 0..1.
        "brightest": "float32",
    },
    sort=("site_id", "channel"),
)
CURATION = TableKind(
    "curation",
    {
        "site_id": "string",
        # The first of the sites that show the same; null for a site that is like no other.
        "same_as": "string",
        "teaches": "bool",
        "reason": "string",
        # 0..255 of the camera's range.
        "brightest": "float32",
        "flags": "list<string>",
    },
    sort=("site_id",),
)
FOLDS = TableKind(
    "folds",
    {"site_id": "string", "fold": "int32", "group": "string"},
    sort=("site_id",),
)
CELLS = TableKind(
    "cells",
    {
        "site_id": "string",
        "cell_id": "int32",
        "y0": "int32",
        "x0": "int32",
        "y1": "int32",
        "x1": "int32",
        "x": "float32",
        "y": "float32",
        "area": "int32",
        "border": "bool",
        "flags": "list<string>",
    },
    sort=("site_id", "cell_id"),
    open=True,
)
SCORES = TableKind(
    "scores",
    {
        "unit": "string",
        "site_id": "string",
        "cell_id": "int32",
        "fold": "int32",
        "model": "string",
        "score": "vector",
        "spread": "vector",
    },
    sort=("site_id", "cell_id"),
)
EMBEDDINGS = TableKind(
    "embeddings",
    {
        "unit": "string",
        "site_id": "string",
        "cell_id": "int32",
        "shard": "string",
        "row": "int32",
        "length": "int32",
        "fold": "int32",
        "model": "string",
    },
    sort=("site_id", "cell_id"),
)
LABELS = TableKind(
    "labels",
    {
        "site_id": "string",
        "cell_id": "int32",
        "label": "vector",
        "weight": "float32",
        "reason": "string",
    },
    sort=("site_id", "cell_id"),
    # Labels that were made without the fields of one fold, see `domain.held_out`.
    open=True,
)
CANDIDATES = TableKind(
    "candidates",
    {
        "class": "string",
        "kind": "string",
        "rank": "int32",
        "site_id": "string",
        "cell_id": "int32",
        "before": "float32",
        "after": "float32",
        "known_near": "int32",
    },
    sort=("class", "kind", "rank"),
)
ANNOTATIONS = TableKind(
    "annotations",
    {
        "site_id": "string",
        "cell_id": "int32",
        "mask_key": "string",
        "outline": "list<int32>",
        "x": "float32",
        "y": "float32",
        "class": "string",
        "verdict": "string",
        "drawn": "string",
        "who": "string",
        "when": "string",
        "model_said": "float32",
    },
    sort=("site_id", "cell_id", "class", "who", "when", "mask_key"),
)
PREDICTIONS = TableKind(
    "predictions",
    {
        "unit": "string",
        "part": "string",
        "fold": "int32",
        "site_id": "string",
        "cell_id": "int32",
        "x": "float32",
        "y": "float32",
        "area": "int32",
        "border": "bool",
        "Labels": "list<string>",
        "Weak_labels": "list<string>",
        "Uncertainty": "float32",
    },
    sort=("site_id", "cell_id"),
    open=True,
)
# Read as predictions too; cells' columns are null.
WELL_PREDICTIONS = TableKind(
    PREDICTIONS.name,
    {"unit": "string", "unit_id": "string", **PREDICTIONS.columns},
    sort=("unit_id",),
    open=True,
)
WELLS = TableKind(
    "wells",
    {"Metadata_Plate": "string", "Metadata_Well": "string", "n_cells": "int32"},
    sort=("Metadata_Plate", "Metadata_Well"),
    open=True,
)
# What wells of a screen were answered with; `answer` is one of the three, as the step was told.
TREATMENTS = TableKind(
    "treatments",
    {
        "well": "string",
        "plate": "string",
        "experiment": "string",
        "position": "string",
        "cell_type": "string",
        "part": "string",
        "class": "string",
        "well_type": "string",
        "n_sites": "int32",
        "fold": "int32",
        "out_of_fold": "bool",
        "answer": "string",
        "answer_free": "string",
        "answer_grouped": "string",
        "answer_assigned": "string",
        "confidence": "float32",
        "group": "int32",
        "support": "float32",
        "pseudo_label": "string",
    },
    sort=("well",),
    open=True,
)
# One vector for each well; the names of its numbers stand in the file.
PROFILES = TableKind(
    "profiles",
    {
        "well": "string",
        "plate": "string",
        "experiment": "string",
        "position": "string",
        "cell_type": "string",
        "part": "string",
        "class": "string",
        "well_type": "string",
        "n_sites": "int32",
        "fold": "int32",
        "model": "string",
        "n_vectors": "int32",
        "vector": "vector",
    },
    sort=("well",),
)
