"""Which wells were treated alike, and which are negative controls; read from metadata columns."""

import polars as pl

from cellwise.domain.quantities import dose_unit, read_quantities

# What a well was treated with. Names are compared without `Metadata_` and ignoring case.
CONDITION = (
    "drug",
    "compound",
    "dose",
    "dose_index",
    "concentration",
    "treatment",
    "perturbation",
    "sirna",
    "gene",
    "cellline",
    "cell_line",
    "control",
)


def column_named(frame: pl.DataFrame, word: str) -> str | None:
    """The `Metadata_` column of this name, ignoring case."""
    for name in frame.columns:
        if name.lower() == f"metadata_{word}":
            return name
    return None


def is_negative_control(sites: pl.DataFrame, negative: str | None) -> pl.Expr:
    """Whether a site is a negative control: labelled so, or `Metadata_Control` says `negative`."""
    column = column_named(sites, "control")
    said = (
        pl.lit(value=False)
        if column is None
        else (pl.col(column).str.strip_chars().str.to_lowercase() == "negative")
    )
    labelled = pl.lit(value=False)
    if negative is not None:
        labelled = (pl.col("labels").list.len() == 1) & pl.col("labels").list.contains(negative)
    return labelled.fill_null(value=False) | said.fill_null(value=False)


def replicate_key(wells: pl.DataFrame) -> list[str | None]:
    """What makes wells replicates: equal values in all condition columns, else equal field labels.

    None where every condition column is empty (or, without such columns, the well has no label):
    nothing says that such wells were treated alike.
    """
    columns = [name for word in CONDITION if (name := column_named(wells, word)) is not None]
    doses = [n for n in wells.columns if n.startswith("Metadata_") and dose_unit(n) is not None]
    columns += [name for name in doses if name not in columns]
    if not columns:
        return [None if x is None else "|".join(x) for x in wells["Weak_labels"].to_list()]
    words = [name.split("_", 1)[1] for name in columns]
    rows = wells.select(_texts(wells, name) for name in columns).rows()
    return [
        None
        if all(value is None for value in row)
        else "; ".join(
            f"{word}={value}" for word, value in zip(words, row, strict=True) if value is not None
        )
        for row in rows
    ]


def _texts(wells: pl.DataFrame, name: str) -> pl.Series:
    """A column as texts; `10 nM`, `10nM` and `0.01 uM` are one dose."""
    texts = wells[name].cast(pl.String)
    unit = dose_unit(name)
    found = read_quantities(texts.to_list(), unit=unit or "") if unit is not None else None
    if found is None or not found.typed:
        return texts
    values = zip(texts.to_list(), found.values, strict=True)
    plain = [text if value is None else f"{value:g} {found.unit}".strip() for text, value in values]
    return pl.Series(name, plain, pl.String)
