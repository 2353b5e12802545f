"""The intensity scales that a run was made with: what its models have learned brightness by."""

import polars as pl

from cellwise.domain.channels import Channel
from cellwise.domain.intensities import BY_TYPE, ONE_BY_ONE, scale_of_type
from cellwise.domain.tables import SITES
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table


def learned_scales(run: RunFolder) -> dict[str, str]:
    """The scale of each channel, by role, by name where it has none; see `read.scale`.

    Runs made before scales were kept read 8-bit and unsigned 16-bit numbers by their type and
    every other image by itself (`each`).

    Raises:
        FormatError: A record or the table of sites is damaged.
    """
    again = read_json(run.reading).get("again", {}) if run.reading.is_file() else {}
    if "scale" in again:
        return {str(key): str(text) for key, text in (again["scale"] or {}).items()}
    if not run.sites.is_file():
        return {}
    columns = ["channel", "role", "dtype", "status"]
    rows = read_table(run.sites, SITES, columns=columns).filter(pl.col("status") == "ok")
    stored: dict[str, set[str]] = {}
    for name, role, dtype in rows.select("channel", "role", "dtype").unique().iter_rows():
        stored.setdefault(Channel(name, role).key, set()).add(str(dtype))
    return {key: _of_types(types) for key, types in sorted(stored.items())}


def _of_types(types: set[str]) -> str:
    if not types <= {"uint8", "uint16"}:
        return ONE_BY_ONE
    return str(scale_of_type(types.pop())) if len(types) == 1 else BY_TYPE
