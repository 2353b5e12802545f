"""Each image is a field of its own with one channel; taken when no other layout fits.

Source: instance segmentation sets such as BBBC039 (Caicedo et al. 2019) and DSB 2018, which hold
one grey image of nuclei per field. Well and site are read from the name where it holds them.
"""

import re
from pathlib import PurePosixPath

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane
from cellwise.domain.channels import guess_role
from cellwise.domain.records import normalise_well
from cellwise.stages.read.names import SINGLE, meaning_folders, plain_number, well_place

_WELL = re.compile(
    r"(?:.*?_)?(?P<well>[A-Z]{1,2}-?\d{1,2})(?:_(?:field|site|f|s)?(?P<site>\d{1,4}))?"
)
_LEAST = 0.1


def build() -> Layout:
    """Make the layout."""
    return Layout(lambda _: _LEAST, _arrange)


def _arrange(listing: Listing) -> Arrangement:
    planes = tuple(_plane(path) for path in listing.images)
    notes = (
        f"Each image is taken as a field with one channel, called {SINGLE!r}. If several files "
        "make one field, say how they are named: --pattern '{well}_{channel}'.",
    )
    return Arrangement(planes, roles=_role(listing), notes=notes)


def _plane(path: str) -> Plane:
    pure = PurePosixPath(path)
    folders = meaning_folders(path)
    metadata: dict[str, str] = {"Plate": "_".join(folders)} if folders else {}
    match = _WELL.fullmatch(pure.stem)
    if match is not None and normalise_well(match["well"]) is not None:
        metadata |= well_place("", match["well"], plain_number(match["site"] or ""))[1]
    raw = "/".join((*folders, pure.stem))
    return Plane(raw, raw, SINGLE, path, metadata=metadata)


def _role(listing: Listing) -> dict[str, str]:
    """The role that the words in every name, or in the names of the folders, agree on."""
    roles = {guess_role(PurePosixPath(path).stem) for path in listing.images}
    (role,) = roles if len(roles) == 1 else (None,)
    if role is None and guess_role(listing.folder.name) == "nucleus":
        role = "nucleus"
    return {SINGLE: role} if role else {}
