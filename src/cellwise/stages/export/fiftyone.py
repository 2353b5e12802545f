"""A dataset folder of FiftyOne: composites of fields with cells and nuclei as detections.

Source: the folder that FiftyOne imports as `fiftyone.types.LegacyFiftyOneDataset` (Voxel51), its
documents in JSON; masks of detections as compressed numpy arrays of their boxes.
"""

import base64
import io
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.kernels.boxes import find_boxes
from cellwise.parts.drawing.images import composite, encode
from cellwise.stages.export._by_field.fields import FieldCells, probabilities
from cellwise.stages.export._by_field.folder import FolderExport, Place
from cellwise.stages.export._by_field.pixels import shown_as, shown_channels, stored_pixels

NO_CLASS = "(no class)"
_QUALITY = 92
_SAID = ("area", "border", "Uncertainty")


def build() -> FolderExport:
    """Make the writer `(run, folder)`.

    `data/<site_id>.jpg` shows a field as the report does. A sample has `site_id`, `raw_id`, the
    part of the run as tag, `weak_labels` (classifications: the labels of the field), its
    `Metadata_*`, and two lists of detections: `cells` and `nuclei`. A cell's `label` is the most
    probable of its labels, `(no class)` without one and `cell` in a run without classes;
    `confidence` its probability; `labels` all of them; `probabilities` those of all classes in the
    order of `info.classes`, or of more than 64 classes `top_classes` and `top_probabilities`.
    `index` is the number in the run's masks, the same for a cell and its nucleus.
    """
    return FolderExport("fiftyone", _Writer, needs_images=True)


class _Writer:
    """Writes an image and a sample for each field."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._channels = shown_channels(place.run, place.images)
        (place.folder / "data").mkdir()
        path = place.folder / "samples.json"
        self._samples = place.held.enter_context(path.open("w", encoding="utf-8", newline="\n"))
        self._samples.write('{"samples":[')
        self._first = True

    def add(self, field: FieldCells) -> None:
        pixels = stored_pixels(field.site, self._place.images, field.masks.cells.shape)
        shown = shown_as(field.site, self._channels, pixels)
        bounds = [(channel.dark, channel.bright) for channel in shown]
        drawn = composite(pixels.astype(np.float32), field.site.channels, bounds)
        content = encode(drawn, quality=_QUALITY)
        (self._place.folder / "data" / f"{field.site.id}.jpg").write_bytes(content)
        self._samples.write("\n" if self._first else ",\n")
        self._first = False
        json.dump(self._sample(field, len(content)), self._samples, ensure_ascii=False,
                  separators=(",", ":"), allow_nan=False)  # fmt: skip

    def close(self) -> None:
        self._samples.write("\n]}\n")
        facts = {
            "name": self._place.run.path.name,
            "media_type": "image",
            "info": {
                "classes": list(self._place.table.classes),
                "negative": self._place.table.negative,
                "made_by": "cellwise",
            },
            "classes": {"cells": list(self._place.table.classes)},
        }
        text = json.dumps(facts, ensure_ascii=False, indent=1)
        (self._place.folder / "metadata.json").write_text(text + "\n", encoding="utf-8")

    def _sample(self, field: FieldCells, size: int) -> dict[str, Any]:
        site, (height, width) = field.site, field.masks.cells.shape
        named = {_name(f"Metadata_{name}"): value for name, value in site.metadata.items()}
        labels = [{"_cls": "Classification", "tags": [], "label": n} for n in site.labels or ()]
        weak = {"_cls": "Classifications", "classifications": labels}
        return named | {
            "filepath": f"data/{site.id}.jpg",
            "tags": [site.part],
            "metadata": {
                "_cls": "ImageMetadata", "size_bytes": size, "mime_type": "image/jpeg",
                "width": width, "height": height, "num_channels": 3,
            },
            "site_id": site.id,
            "raw_id": site.raw_id,
            "pixel_size": site.pixel_size,
            "weak_labels": None if site.labels is None else weak,
            "cells": self._detections(field, field.masks.cells, nuclei=False),
            "nuclei": self._detections(field, field.masks.nuclei, nuclei=True),
        }  # fmt: skip

    def _detections(
        self, field: FieldCells, labels: npt.NDArray[Any], *, nuclei: bool
    ) -> dict[str, Any]:
        found = []
        boxes = find_boxes(labels)
        edges = zip(boxes.ids, boxes.y0, boxes.x0, boxes.y1, boxes.x1, strict=True)
        for number, top, left, bottom, right in (map(int, row) for row in edges):
            box = (left / labels.shape[1], top / labels.shape[0],
                   (right - left) / labels.shape[1], (bottom - top) / labels.shape[0])  # fmt: skip
            row = field.cells.get(number, {})
            about = {"label": "nucleus"} if nuclei else self._said(row)
            found.append({
                "_cls": "Detection", "attributes": {}, "tags": [], "index": number,
                "bounding_box": list(box),
                "mask": _mask(labels[top:bottom, left:right] == number), **about,
            })  # fmt: skip
        return {"_cls": "Detections", "detections": found}

    def _said(self, row: Mapping[str, Any]) -> dict[str, Any]:
        said = {name.lower(): row[name] for name in _SAID if row.get(name) is not None}
        classes = self._place.table.classes
        if not classes:
            return {"label": "cell"} | said
        chances = {name: float(f"{p:.9g}") for name, p in probabilities(row).items()}
        labels = sorted(map(str, row.get("Labels") or ()), key=lambda n: -chances.get(n, 0.0))
        said |= {"label": labels[0] if labels else NO_CLASS, "labels": labels}
        if labels and labels[0] in chances:
            said["confidence"] = chances[labels[0]]
        if row.get("top_classes") is not None:
            return said | {
                "top_classes": list(chances), "top_probabilities": list(chances.values()),
            }  # fmt: skip
        return said | {"probabilities": [chances.get(name) for name in classes]}


def _name(text: str) -> str:
    """A column as a field of FiftyOne, whose names are letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text)


def _mask(inside: npt.NDArray[np.bool_]) -> dict[str, Any]:
    buffer = io.BytesIO()
    np.save(buffer, inside, allow_pickle=False)
    text = base64.b64encode(zlib.compress(buffer.getvalue())).decode()
    return {"$binary": {"base64": text, "subType": "00"}}
