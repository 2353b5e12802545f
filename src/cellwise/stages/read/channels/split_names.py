"""Sites from names that are split at their channel; shared by layouts without a fixed form."""

import re
from collections import defaultdict
from functools import lru_cache
from pathlib import PurePosixPath

from cellwise.contracts.layout import Listing, Plane
from cellwise.errors import PreflightError
from cellwise.stages.read.channels.registered import show_one_place
from cellwise.stages.read.channels.varying import (
    Split,
    Varying,
    sites_of,
    unclear_number,
    varying_word,
)
from cellwise.stages.read.names import between_last_words, place_of, wells_for
from cellwise.store.stains import is_stain, stains_in

_Z = re.compile(r"(?<![^\W_])z[=_-]?(\d{1,5})(?![^\W_])", re.IGNORECASE)


def split_names(listing: Listing) -> Varying | None:
    """What tells the channels of a folder apart, found once per folder."""
    return _split_once(_Key(listing))


class _Key:
    """A listing that is remembered by what it lists."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self._key = (listing.folder, listing.images)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._key == other._key


@lru_cache(maxsize=2)
def _split_once(key: _Key) -> Varying | None:
    listing = key.listing
    return varying_word(listing.images, lambda groups: show_one_place(listing, groups))


def site_name(split: Split, listing: Listing) -> str:
    """The path that names a site: folders and name without channel and plane."""
    rest = without_z(split.rest)[0]
    return "/".join((*split.folders, rest) if rest else split.folders) or listing.folder.name


def named_planes(
    listing: Listing, varying: Varying, *, plates: bool = True
) -> tuple[list[Plane], tuple[str, ...]]:
    """A plane for each file that fits, and what a person should know.

    Folders name the plate where `plates` says so, unless they are all that names the site.
    """
    splits = varying.splits
    places = {path: place_of(split.folders, split.rest) for path, split in splits.items()}
    wells, notes = wells_for(list(places.values()))
    planes = []
    for path, split in splits.items():
        raw = site_name(split, listing)
        place = places[path] if wells else {}
        above = split.folders if split.rest else split.folders[:-1]
        plate = {"Plate": "_".join(above)} if above and plates else {}
        planes.append(
            Plane(
                raw,
                raw,
                split.channel,
                path,
                z=without_z(split.rest)[1],
                metadata={**plate, **place},
            )
        )
    return planes, (*notes, *doubt(varying))


def doubt(varying: Varying) -> tuple[str, ...]:
    """A note where the words themselves do not say that they are channels."""
    if varying.certain:
        return ()
    shown = ", ".join(varying.values)
    return (
        f"Names that differ in {shown} only are taken as the channels of one field. If they are "
        "fields of their own: --layout single_channel.",
    )


def refuse_unclear_numbers(listing: Listing) -> None:
    """Refuse images that show one place and differ in a number that could mean anything.

    Taken as fields of their own, their cells would count several times.

    Raises:
        PreflightError: With the numbers, and the words that settle what they are.
    """
    unclear = unclear_number(listing.images, lambda groups: show_one_place(listing, groups))
    if unclear is None:
        return
    first, second = list(sites_of(unclear)[0].values())[:2]
    sign = between_last_words(first)
    raise PreflightError(
        f"Images whose names differ only in {', '.join(unclear.values)} show the same place, such "
        f"as {first} and {second}: they are channels, planes or times of one field, and the names "
        f"do not say which. Say it with --pattern '{{site}}{sign}{{channel}}' (channels) or "
        f"--pattern '{{site}}{sign}{{z}}' (planes), or take each as a field with --layout "
        "single_channel."
    )


def refuse_half_named(listing: Listing) -> None:
    """Refuse fields of which one channel is named by its stain and the other not at all.

    So `cell4.tif` beside `cell4_DAPI.tif`: taken as fields of their own, each would count twice.

    Raises:
        PreflightError: With two such names.
    """
    stems = {PurePosixPath(path).with_suffix("").as_posix(): path for path in listing.images}
    pairs = [
        (stems[plain], path)
        for stem, path in stems.items()
        if (plain := re.sub(r"[\W_]+[^\W_]+$", "", stem)) in stems and is_stain(stem[len(plain) :])
    ]
    if len(pairs) > 1 and 3 * len(pairs) >= len(stems):
        bare, named = pairs[0]
        raise PreflightError(
            f"{bare} and {named} differ in a stain that only one of them names, and so do "
            f"{len(pairs)} pairs: they are channels of one field. Give the others the name of "
            f"their stain as well, such as {PurePosixPath(bare).stem}_GFP."
        )


def refuse_numbered_stains(listing: Listing) -> None:
    """Refuse stains with the number of the field written to them: `DAPI0`, `DAPI1`, `ER0`, `ER1`.

    Taken as fields of one channel, those of every dye would be searched for nuclei.

    Raises:
        PreflightError: With two such names.
    """
    stems = [PurePosixPath(path).with_suffix("").as_posix() for path in listing.images]
    numbered = [re.fullmatch(r"(.*?)([^\W\d_]+)(\d+)", stem) for stem in stems]
    fields: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    glows = True
    for path, match in zip(listing.images, numbered, strict=True):
        kinds = stains_in(match[2]) if match else []
        if match is None or not kinds:
            return
        glows = glows and any(stain.kind in ("dye", "reporter") for _, stain in kinds)
        fields[match[1], match[3]][kinds[0][0]] = path
    several = [list(found.values()) for found in fields.values() if len(found) > 1]
    # `Actin0` and `Tubulin0` may be two images of one stain each; behind the name of a field not.
    if not glows and len({before for before, _ in fields}) < 2:
        return
    if len(several) < 2 or 2 * len(several) < len(fields):
        return
    first, second = several[0][:2]
    raise PreflightError(
        f"{first} and {second} are channels of one field by their names, with a number written to "
        "the stain. Name them with a sign between, such as field0_DAPI, or take each image as a "
        "field with --layout single_channel."
    )


def without_z(rest: str) -> tuple[str, int]:
    """A name without the number of its plane, and that number."""
    match = _Z.search(rest)
    if match is None:
        return rest, 0
    left, right = rest[: match.start()].rstrip("_. -"), rest[match.end() :]
    return left + right if left else right.lstrip("_. -"), int(match[1])
