"""Images of fields and cells, as `parts.drawing.images` has them."""

from cellwise.parts.drawing.images import (
    HEADROOM,
    PALE,
    Levels,
    Limits,
    Pixels,
    blend,
    common_limits,
    composite,
    data_link,
    encode,
    limits,
    planes_link,
    shrink,
    shrink_pixels,
    stretch,
)

__all__ = [
    "HEADROOM",
    "PALE",
    "Levels",
    "Limits",
    "Pixels",
    "blend",
    "common_limits",
    "composite",
    "data_link",
    "encode",
    "limits",
    "planes_link",
    "shrink",
    "shrink_pixels",
    "stretch",
]
