"""Nuclei from the nucleus channel, cells grown around them; no weights, no size to set.

Every length is measured in the image's own nuclear diameters, so 10 to 120 px nuclei and 8-bit,
16-bit or float images need no setting. Sources: see `_nuclei` and `_cells` (Otsu 1979;
Vincent and Soille 1991; Malpica et al. 1997; Jones, Carpenter and Golland 2005).
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field as Limits

from cellwise.contracts.segmenter import Segmenter
from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks
from cellwise.errors import InputError
from cellwise.stages.segment.watershed.cells import grow_cells
from cellwise.stages.segment.watershed.foreground import Plane
from cellwise.stages.segment.watershed.nuclei import find_nuclei
from cellwise.store.run.masks import narrow

# Stains that fill the cell whatever the experiment; averaged where there are several.
_BODY = ("microtubule", "er", "actin", "rna", "membrane")
# The protein under study may leave the cytoplasm, so it is asked only where nothing else is.
_LAST_RESORT = ("protein", "mitochondria", "golgi")


def build(
    split: Annotated[float, Limits(ge=0, le=1)] = 0.45,
    debris: Annotated[float, Limits(ge=0)] = 0.2,
    reach: Annotated[float, Limits(ge=0)] = 1.5,
    ring: Annotated[float, Limits(ge=0)] = 0.5,
    body: Sequence[str] | None = None,
    slivers: Literal["keep", "drop"] = "keep",
) -> Segmenter:
    """Make the segmenter.

    Args:
        split: How readily what touches is taken apart: 0 never, 1 always, 0.5 where two nuclei are
            more likely than one.
        debris: What is smaller than this share of the image's median nuclear area is dropped.
        reach: How far a cell may extend from its nucleus, in nuclear diameters.
        ring: The same where no channel shows the cell body.
        body: Roles or names of the channels that show the cell body; None takes what is there: the
            mean of microtubule, er, actin, rna and membrane, else protein, mitochondria or golgi.
        slivers: `keep` or `drop` cells of whose nucleus the edge of the field leaves a sliver. Kept
            ones may be smaller than `debris`; `drop` asks for half of a median nucleus.

    Returns:
        A function from a field to its masks, ids 1..n, each nucleus inside its cell. It raises
        `InputError` with code `channel_missing` where the field has no nucleus channel.
    """

    def watershed(field: Field) -> Masks:
        nucleus = nucleus_index(field)
        stains = body_planes(field, nucleus, body)
        nuclei = find_nuclei(field.pixels[nucleus], split=split, debris=debris, slivers=slivers)
        cells = grow_cells(nuclei.labels, nuclei.diameter, stains, reach=reach, ring=ring)
        return Masks(narrow(cells), narrow(nuclei.labels))

    return watershed


def nucleus_index(field: Field) -> int:
    """Position of the nucleus channel; a single channel is taken for it.

    Raises:
        InputError: Code `channel_missing`: no channel shows the nucleus.
    """
    found = field.index("nucleus")
    if found is not None:
        return found
    if len(field.channels) == 1:
        return 0
    names = [channel.name for channel in field.channels]
    raise InputError(
        f"{field.site_id}: no channel shows the nucleus (found: {', '.join(names)}).",
        code="channel_missing",
        remedy=f"Say which one does: {_words(field)}, or bring masks with --masks.",
        path=field.site_id,
    )


def check_channels(field: Field, options: Mapping[str, Any]) -> None:
    """Refuse channels among which this segmenter cannot work.

    Args:
        field: Its pixels do not matter.
        options: Those of the part.

    Raises:
        InputError: As the segmenter itself would.
    """
    body_planes(field, nucleus_index(field), options.get("body"))


def nucleus_settings(channels: Sequence[Channel]) -> tuple[str, ...]:
    """What names the nucleus, one setting for each channel that may show it."""
    unknown = [channel.name for channel in channels if channel.role is None]
    names = unknown or [channel.name for channel in channels]
    return tuple(f"read.roles.{name}=nucleus" for name in names)


def _words(field: Field) -> str:
    """One setting ready to be pasted, and what may stand in its place."""
    first, *rest = map(shlex.quote, nucleus_settings(field.channels))
    others = f" (or {', '.join(rest)})" if rest else ""
    return f"add --set {first}{others}"


def body_planes(field: Field, nucleus: int, body: Sequence[str] | None) -> list[Plane]:
    """The channels that show the cell body, `[y, x]` each; empty where none does.

    Args:
        field: The field.
        nucleus: Position of its nucleus channel, which is no body.
        body: Roles or names of the channels; None takes what usually fills a cell.

    Raises:
        InputError: Code `channel_missing`: a channel that was named is not there.
    """
    if body is not None:
        return [field.pixels[_asked(field, role)] for role in body]
    chosen = [index for role in _BODY if (index := field.index(role)) not in (None, nucleus)]
    if not chosen:
        others = (field.index(role) for role in _LAST_RESORT)
        chosen = [index for index in others if index not in (None, nucleus)][:1]
    return [field.pixels[index] for index in chosen]


def _asked(field: Field, role: str) -> int:
    found = field.index(role)
    if found is None:
        names = [channel.name for channel in field.channels]
        raise InputError(
            f"{field.site_id}: no channel {role!r} for the cell body (found: {', '.join(names)}).",
            code="channel_missing",
            remedy=f"Name it with --set read.roles.<name>={role}, or leave segment.body out.",
            path=field.site_id,
        )
    return found
