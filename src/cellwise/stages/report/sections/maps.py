"""Class maps over the images: does the network look at the structure that the class is named for?

Source: class activation maps of Zhou et al. 2016 (arXiv 1512.04150): what is positive, as a share
of the field's greatest value.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cellwise.domain.channels import Channel
from cellwise.parts.drawing.images import Levels, data_link, encode, shrink
from cellwise.stages.report.drawing.lines import edges, line_labels, line_png
from cellwise.stages.report.material import Material
from cellwise.stages.report.shown import switches
from cellwise.store.run.class_maps import ClassMaps

_SIDE, _EACH = 288, 2
_DEEPEST = 0.75
# From where a class is faintly seen to where it is seen most.
_FAINT, _STRONG = (1.0, 0.25, 0.05), (1.0, 0.92, 0.25)
_LINES = ("#ffffff",)


def context(material: Material) -> dict[str, Any]:
    """For each score step and class the first fields that have it, the network's map over them."""
    return {
        "steps": [_step(material, name, kept) for name, kept in material.class_maps.items()],
        "protein": _protein(material.channels) is not None,
        "channels": switches(material.channels),
    }


def _step(material: Material, name: str, kept: ClassMaps) -> dict[str, Any]:
    assert material.sites is not None
    labels = dict(material.sites.select("site_id", "labels").iter_rows())
    by_name = sorted(range(len(kept.sites)), key=kept.sites.__getitem__)
    rows = []
    for place, word in enumerate(kept.classes):
        shown = [n for n in by_name if word in (labels.get(kept.sites[n]) or [])][:_EACH]
        images = [_images(material, kept, n, place, labels[kept.sites[n]]) for n in shown]
        rows.append({"name": word, "fields": [image for image in images if image]})
    return {
        "name": name,
        "rows": [row for row in rows if row["fields"]],
        "without": [row["name"] for row in rows if not row["fields"]],
        "n_sites": len(kept.sites),
    }


def heat(
    grey: npt.NDArray[np.float32], class_map: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """A grey image `[y, x]` in 0..1 with what is positive in a coarser map over it, as colour."""
    positive = np.maximum(class_map.astype(np.float32), 0)
    if positive.max() > 0:
        positive = positive / positive.max()
    large = Image.fromarray(positive).resize(grey.shape[::-1], Image.Resampling.BILINEAR)
    share = np.asarray(large, np.float32)[..., None]
    tint = np.asarray(_FAINT, np.float32) * (1 - share) + np.asarray(_STRONG, np.float32) * share
    cover = _DEEPEST * share
    return np.asarray(np.clip(grey[..., None] * (1 - cover) + tint * cover, 0, 1) * 255, np.uint8)


def _images(
    material: Material, kept: ClassMaps, number: int, place: int, labels: list[str]
) -> dict[str, Any]:
    site = kept.sites[number]
    masks, images = material.images.masks(site), material.drawn
    levels = None if images is None else images.levels(site)
    if images is None or levels is None:
        return {}
    class_map = kept.maps[number, place].astype(np.float32)
    lines = None
    if masks is not None:
        drawn = edges(line_labels(masks.cells, _SIDE)).astype(np.uint8)
        lines = data_link(line_png(drawn, _LINES), "png")
    chance = 1 / (1 + np.exp(-float(class_map.max())))
    return {
        "site": site,
        "labels": " + ".join(labels),
        "chance": chance,
        **images.links(site, side=_SIDE),
        "map": data_link(encode(heat(_grey(levels, images.channels), class_map))),
        "lines": lines,
    }


def _grey(levels: Levels, channels: tuple[Channel, ...]) -> npt.NDArray[np.float32]:
    """The protein, or the mean of all stains where none is called so, in 0..1 at shown size."""
    place = _protein(channels)
    image = levels.mean(axis=0).astype(np.uint8) if place is None else levels[place]
    return np.asarray(shrink(image, _SIDE) / np.float32(255), np.float32)


def _protein(channels: tuple[Channel, ...]) -> int | None:
    return next((n for n, channel in enumerate(channels) if channel.role == "protein"), None)
