"""SpatialData (`.zarr`): images, cells and nuclei of all fields, and the table that describes them.

Written with zarr and anndata, since the versions that SpatialData's own package wants keep other
packages of ours away. Source: the store of SpatialData 0.7 (Marconato et al., Nat Methods 22, 58,
2025): container 0.2, images and labels 0.3, tables 0.2.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cellwise.domain.tables import CELLS, SITES
from cellwise.parts.drawing.class_colours import NO_CLASS
from cellwise.stages.export._by_field.fields import FieldCells
from cellwise.stages.export._by_field.folder import FolderExport, Place
from cellwise.stages.export._by_field.ngff import Pixels, halves, write_levels
from cellwise.stages.export._by_field.pixels import stored_pixels
from cellwise.stages.export.anndata import annotated, cells_to_anndata
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import narrow
from cellwise.store.run.tables import read_table

if TYPE_CHECKING:
    import anndata

_CONTAINER, _RASTER, _TABLE = "0.2", "0.3", "0.2"
_NGFF = "0.5-dev-spatialdata"


def build() -> FolderExport:
    """Make the writer `(run, folder)`.

    Of each field there are `<site_id>_image` (the stored numbers, channels by name),
    `<site_id>_cells` and `<site_id>_nuclei` (the numbers of the masks), in a coordinate system of
    pixels of its own, called `<site_id>`. `table` is that of `anndata`: it describes the cells, and
    its columns `region` and `instance_id` join it to the label images; a run without classes has
    measurements alone. Characters that SpatialData does not take in names become `_`, `~` becomes
    `--`. `uns["class_colours"]` are the colours of `uns["classes"]`.
    """
    return FolderExport("spatialdata", _Writer, needs_images=True)


class _Writer:
    """Writes the elements of each field, and at the end the table."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._written: list[str] = []
        for part in ("images", "labels", "tables"):
            _group(place.folder / part, {})

    def add(self, field: FieldCells) -> None:
        site, masks = field.site, field.masks
        pixels = stored_pixels(site, self._place.images, masks.cells.shape)
        name = element_name(site.id)
        names = [{"label": channel.name} for channel in site.channels]
        self._raster("images", f"{name}_image", name, pixels, {"omero": {"channels": names}})
        for kind, labels in (("cells", masks.cells), ("nuclei", masks.nuclei)):
            said = {"image-label": {"version": "0.5"}}
            self._raster("labels", f"{name}_{kind}", name, narrow(labels), said)
        self._written.append(site.id)

    def close(self) -> None:
        import zarr

        names = [f"{element_name(s)}_{kind}" for s in self._written for kind in ("cells", "nuclei")]
        _group(self._place.folder / "labels", {"ome": {"labels": names}})
        self._write_table()
        attributes = {"version": _CONTAINER, "spatialdata_software_version": "0.7.0"}
        _group(self._place.folder, {"spatialdata_attrs": attributes})
        with _without_notices():
            zarr.consolidate_metadata(self._place.folder)

    def _raster(
        self, part: str, name: str, system: str, pixels: Pixels, said: dict[str, Any]
    ) -> None:
        axes = "cyx"[-pixels.ndim :]
        levels = halves(pixels, mean=part == "images")
        ome = {"version": _NGFF, "multiscales": [_multiscale(name, axes, len(levels), system)]}
        folder = self._place.folder / part / name
        _group(folder, {"ome": ome | said, "spatialdata_attrs": {"version": _RASTER}})
        write_levels(folder, axes, levels, prefix="s")

    def _write_table(self) -> None:
        import anndata

        table = _described(self._place)
        own = {f"{site}_cells" for site in self._written}
        table = table[[region in own for region in table.obs["region"]]].copy()
        if not table.n_obs:
            return
        renamed = {site: element_name(str(site)) for site in table.obs["region"].cat.categories}
        table.obs["region"] = table.obs["region"].cat.rename_categories(renamed)
        table.obs["region"] = table.obs["region"].cat.remove_unused_categories()
        table.obs.columns = _plain(list(table.obs.columns))
        regions = sorted(table.obs["region"].cat.categories)
        keys = {"region": regions, "region_key": "region", "instance_key": "instance_id"}
        table.uns["spatialdata_attrs"] = keys | {"region": np.array(regions, dtype=object)}
        colours = self._place.table.colours or {"": NO_CLASS}
        codes = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in colours.values()]
        table.uns["class_colours"] = np.array(codes, dtype=object)
        folder = self._place.folder / "tables" / "table"
        with anndata.settings.override(zarr_write_format=3), _without_notices():
            table.write_zarr(folder)
        said = {"spatialdata-encoding-type": "ngff:regions_table", "version": _TABLE}
        _group(folder, keys | said)


@contextmanager
def _without_notices() -> Iterator[None]:
    """Without two notices of libraries that are of no use here.

    One is of a coming default for how arrays are cut, which readers do not see; the other of lists
    of contents, which SpatialData's own stores have too.
    """
    with warnings.catch_warnings():
        for words in (".*autosharding", "Consolidated metadata"):
            warnings.filterwarnings("ignore", message=words, category=UserWarning)
        yield


def element_name(site_id: str) -> str:
    """The site's id as SpatialData takes it: letters, digits, `.`, `_` and `-`."""
    return site_id.replace("~", "--")


def _described(place: Place) -> "anndata.AnnData":
    """The cells of the run as AnnData, with or without classes."""
    run = RunFolder(place.run.path)
    if place.table.path == run.predictions:
        return annotated(run)
    columns = ["site_id", *place.table.metadata]
    sites = read_table(run.sites, SITES, columns=columns).unique("site_id", maintain_order=True)
    cells = read_table(run.cells, CELLS).select(place.table.columns)
    cells = cells.join(sites, on="site_id", how="left", maintain_order="left")
    cells = cells.with_columns(
        unit=pl.lit("cell"), Weak_labels=pl.lit(None, pl.List(pl.String)),
    )  # fmt: skip
    return cells_to_anndata(cells, (), np.zeros((cells.height, 0), np.float32))


def _multiscale(name: str, axes: str, levels: int, system: str) -> dict[str, Any]:
    channel = [{"name": "c", "type": "channel"}] if "c" in axes else []
    space = [{"name": axis, "type": "space"} for axis in "yx"]
    pixels = channel + [{**axis, "unit": "unit"} for axis in space]
    datasets = []
    for level in range(levels):
        scale = [*(1.0 for _ in channel), 2.0**level, 2.0**level]
        step = {"type": "scale", "scale": scale}
        datasets.append({"path": f"s{level}", "coordinateTransformations": [step]})
    same = {
        "type": "identity",
        "input": {"name": axes, "axes": pixels},
        "output": {"name": system, "axes": pixels},
    }
    return {
        "name": name,
        "axes": channel + space,
        "datasets": datasets,
        "coordinateTransformations": [same],
    }


def _plain(names: list[str]) -> list[str]:
    """Names of columns as SpatialData takes them, different from each other in any case."""
    found: list[str] = []
    for name in names:
        plain, number = re.sub(r"[^A-Za-z0-9_.-]", "_", name), 2
        candidate = plain
        while candidate.lower() in {other.lower() for other in found}:
            candidate, number = f"{plain}-{number}", number + 1
        found.append(candidate)
    return found


def _group(folder: Any, attributes: dict[str, Any]) -> None:
    import zarr

    zarr.open_group(folder, mode="a", zarr_format=3).attrs.update(attributes)
