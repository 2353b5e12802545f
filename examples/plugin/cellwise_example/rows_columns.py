"""Row and column as numbers: `R02C03_F1_DNA.tif` is field 1 of well B03, channel `DNA`.

Source: the file names of our own microscope.
"""

import re
from pathlib import PurePosixPath

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane

NAME = re.compile(r"R(\d\d)C(\d\d)_F(\d+)_(\w+)")


def build() -> Layout:
    """Make the layout."""
    return Layout(recognise, arrange)


def recognise(listing: Listing) -> float | None:
    """Nearly sure where every image has such a name, so that no layout that guesses comes first."""
    names = [NAME.fullmatch(PurePosixPath(path).stem) for path in listing.images]
    return 0.95 if names and all(names) else None


def arrange(listing: Listing) -> Arrangement:
    """The field and the channel of each image."""
    planes, rest = [], []
    for path in listing.images:
        if found := NAME.fullmatch(PurePosixPath(path).stem):
            planes.append(plane(path, found))
        else:
            rest.append(path)
    return Arrangement(tuple(planes), tuple(rest))


def plane(path: str, found: re.Match[str]) -> Plane:
    """One image; what stands in `metadata` becomes a column `Metadata_*` of every table."""
    row, column, site, channel = found.groups()
    well = f"{chr(ord('A') + int(row) - 1)}{column}"
    return Plane(
        site_id=f"{well}_{site}",
        raw_id=PurePosixPath(path).stem.removesuffix(f"_{channel}"),
        channel=channel,
        path=path,
        metadata={"Well": well, "Site": site},
    )
