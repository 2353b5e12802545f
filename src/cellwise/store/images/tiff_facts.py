"""What a TIFF says of its channels and pixels beside the numbers: names, micrometres per pixel.

They come from OME-XML (Open Microscopy Environment), from ImageJ's description, or from the TIFF
resolution tags.
"""

import re
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import tifffile

from cellwise.store.images.pixel_sizes import MICROMETRES, is_for_print, plausible
from cellwise.store.images.tiff_images import TiffImage

_INCH = MICROMETRES["inch"]
__all__ = ["TiffFacts", "facts_of"]


@dataclass(frozen=True, slots=True)
class TiffFacts:
    """What one image of a TIFF says of itself.

    Args:
        names: Of its channels, empty where not stated.
        across: Micrometres per pixel across, None where not stated or not plausible.
        down: The same down.
    """

    names: tuple[str, ...]
    across: float | None
    down: float | None


def facts_of(tiff: tifffile.TiffFile, image: TiffImage) -> TiffFacts:
    """What an open TIFF says of one of its images."""
    ome = _ome(tiff, image)
    return _ome_facts(ome) if ome is not None else _plain_facts(tiff)


def _ome(tiff: tifffile.TiffFile, image: TiffImage) -> ElementTree.Element | None:
    """What OME-XML says of one image; of the first where it cannot be told which it is."""
    text = tiff.ome_metadata if tiff.is_ome else None
    if not text:
        return None
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    found = root.findall("./Image/Pixels")
    return found[image.number if len(found) == len(tiff.series) else 0] if found else None


def _ome_facts(pixels: ElementTree.Element) -> TiffFacts:
    """Names of channels, and micrometres per pixel across and down."""
    names = tuple(
        (channel.get("Name") or "").strip() or f"ch{number}"
        for number, channel in enumerate(pixels.findall("Channel"), start=1)
    )

    def size(axis: str) -> float | None:
        number = _number(pixels.get(f"PhysicalSize{axis}"))
        unit = (pixels.get(f"PhysicalSize{axis}Unit") or "µm").strip().lower()
        factor = MICROMETRES.get(unit)
        return None if number is None or factor is None else plausible(number * factor)

    return TiffFacts(names, size("X"), size("Y"))


def _plain_facts(tiff: tifffile.TiffFile) -> TiffFacts:
    """The same from ImageJ's description, else from the resolution tags."""
    page = tiff.pages[0]
    imagej: dict[str, Any] = (tiff.imagej_metadata or {}) if tiff.is_imagej else {}
    labels = imagej.get("Labels") or ()
    names = tuple(str(label).strip() for label in labels)
    unit = str(imagej.get("unit", "")).strip().lower().replace("\\u00b5", "µ")
    factor = MICROMETRES.get(unit)
    if factor is None and not unit:
        tag = page.tags.get("ResolutionUnit")
        factor = {2: _INCH, 3: 1e4}.get(int(tag.value)) if tag is not None else None
    named = names if len(set(names)) == len(names) and all(names) else ()

    def size(tag: str) -> float | None:
        resolution = page.tags.get(tag)
        per_unit = _ratio(resolution.value) if resolution is not None else None
        if not factor or not per_unit or (factor == _INCH and is_for_print(per_unit)):
            return None
        return plausible(factor / per_unit)

    return TiffFacts(named, size("XResolution"), size("YResolution"))


def _ratio(value: Any) -> float | None:
    top, bottom = value if isinstance(value, tuple) else (value, 1)
    return float(top) / float(bottom) if top and bottom else None


def _number(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\d*\.?\d+([eE][-+]?\d+)?", text.strip()) else None
