"""Weak-label audit: how many inherited labels are wrong, and which fields and cells to look at.

The numbers are those of `measures.label_support` and `measures.inherited`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.measures.label_support import label_support
from cellwise.stages.report._charts import bar
from cellwise.stages.report.drawing.svg import GREY, ORANGE, VERMILION
from cellwise.stages.report.material import PLATE, WELL, Material
from cellwise.stages.report.sections.audit import inherited

_SHOWN, _FEWEST_SHOWN = 15, 6
_FEW, _MANY = 0.25, 0.6
# Fields that are shown, and the longer side of their images in pixels.
_THUMBNAILS, _SIDE = 6, 160


def context(material: Material) -> dict[str, Any]:
    """Two ranked lists; both name a field, a class, and how many of its cells say so."""
    if not material.has_labels:
        return {"empty": "No field has a label, so there is no label to doubt."}
    table = support(material)
    if table is None or not table.height:
        return {"empty": "No labelled field has predicted cells, so its label cannot be checked."}
    given = table.filter(pl.col("given")).sort("share", "mean", "site_id", "class")
    # That cells show none of the classes is said by the labels that few of them support.
    none = (material.reading.get("classes") or {}).get("negative") or ""
    absent = table.filter(~pl.col("given") & (pl.col("share") >= _MANY) & (pl.col("class") != none))
    absent = absent.sort("share", "mean", "site_id", descending=[True, True, False])
    doubtful = given.filter(pl.col("share") < _FEW)
    weakest = given.unique("site_id", keep="first", maintain_order=True).head(_THUMBNAILS)
    return {
        **inherited.context(material),
        "weakest": [_thumbnail(material, row) for row in weakest.to_dicts()],
        "doubtful": [
            _line(row, VERMILION if row["share"] < _FEW else GREY)
            for row in given.head(max(_FEWEST_SHOWN, min(_SHOWN, doubtful.height))).to_dicts()
        ],
        "n_doubtful": doubtful.height,
        "n_given": given.height,
        "absent": [_line(row, ORANGE) for row in absent.head(_SHOWN).to_dicts()],
        "n_absent": absent.height,
        "few": _FEW,
        "many": _MANY,
    }


def _thumbnail(material: Material, row: dict[str, Any]) -> dict[str, Any]:
    links = material.drawn.links(row["site_id"], side=_SIDE) if material.drawn else {}
    return {**row, "image": links.get("image", ""), "planes": "", "bar": None}


def support(material: Material) -> pl.DataFrame | None:
    """One row per labelled field and class.

    Columns: `site_id`, `class`, `given` (whether the field's label names it), `n` (cells), `share`
    (of cells to which the class was assigned, 0..1), `mean` (probability), plate and well.
    """
    labelled = material.labelled
    if material.units != "cell" or not labelled.height or not material.classes:
        return None
    places = [name for name in (PLATE, WELL) if name in labelled.columns]
    fields = labelled.unique("site_id", keep="first", maintain_order=True)
    number = {site: row for row, site in enumerate(fields["site_id"])}
    found = label_support(
        _columns(labelled, [pl.col("Labels").list.contains(name) for name in material.classes]),
        _columns(labelled, [pl.col(material.column(name)) for name in material.classes]),
        np.array([number[site] for site in labelled["site_id"]], np.int64),
        count=len(fields),
    )
    tables = [
        fields.select(
            "site_id",
            pl.lit(name).alias("class"),
            pl.col("field_labels").list.contains(name).alias("given"),
            pl.Series("n", found.n),
            pl.Series("share", found.share[:, column]),
            pl.Series("mean", found.mean[:, column]),
            *places,
        )
        for column, name in enumerate(material.classes)
    ]
    return pl.concat(tables)


def _columns(table: pl.DataFrame, columns: list[pl.Expr]) -> npt.NDArray[np.float64]:
    """`[row, column]`, NaN where nothing is known."""
    arrays = [table.select(column.cast(pl.Float64)).to_series().to_numpy() for column in columns]
    return np.stack(arrays, axis=1)


def _line(row: dict[str, Any], colour: str) -> dict[str, Any]:
    place = " ".join(str(row[name]) for name in (PLATE, WELL) if row.get(name))
    return {**row, "name": row["class"], "place": place, "bar": bar(row["share"], colour=colour)}
