"""What decoding shows about each channel, with what only segmentation can tell: it is dark."""

from collections.abc import Mapping, Sequence
from typing import Any

from cellwise.domain.records import Field
from cellwise.stages.segment.watershed.foreground import Plane, find_foreground
from cellwise.store.images import pixel_facts as facts


def pixel_facts(
    field: Field, changed: Mapping[str, Sequence[str]] | None = None
) -> list[dict[str, Any]]:
    """One row of the table `pixels` per channel, see `store.images.pixel_facts`."""
    return facts.pixel_facts(field, changed, _is_dark)


def _is_dark(plane: Plane) -> bool:
    """Whether nothing stands out from the noise."""
    return find_foreground(plane[::2, ::2], smooth=1.0) is None
