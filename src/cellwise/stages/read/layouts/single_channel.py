"""Each image is a field of its own with one channel; taken when no other layout fits.

Source: instance segmentation sets such as BBBC039 (Caicedo et al. 2019) and DSB 2018, which hold
one grey image of nuclei per field. Well and site are read from the name where it holds them.
"""

from pathlib import PurePosixPath

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane
from cellwise.stages.read._files import stem_of
from cellwise.stages.read.channels.split_names import without_z
from cellwise.stages.read.names import (
    SINGLE,
    image_place,
    meaning_folders,
    place_of,
    wells_for,
    zarr_place,
)
from cellwise.store.stains import guess_role

_LEAST = 0.1


def build() -> Layout:
    """Make the layout."""
    return Layout(lambda _: _LEAST, _arrange)


def _arrange(listing: Listing) -> Arrangement:
    anywhere, _ = wells_for([place_of((), stem_of(path)) for path in listing.images])
    # `_z01` and `_z02` of every name are the planes of one field.
    stacks = all(without_z(stem_of(path))[1] for path in listing.images)
    planes = tuple(_plane(path, anywhere=anywhere, planes=stacks) for path in listing.images)
    notes = (
        f"Each image is taken as a field with one channel, called {SINGLE!r}. If several files "
        "make one field, say how they are named: --pattern '{well}_{channel}'.",
    )
    return Arrangement(planes, roles=_role(listing), notes=notes)


def _plane(path: str, *, anywhere: bool, planes: bool) -> Plane:
    """A file as a field; its well stands at the end of the name, or, in all names, `anywhere`."""
    folders, stem = meaning_folders(path), PurePosixPath(path).stem
    site_id, place = zarr_place(path)
    if site_id:
        return Plane(site_id, path, SINGLE, path, metadata=place)
    metadata: dict[str, str] = {"Plate": "_".join(folders)} if folders else {}
    metadata |= {k: v for k, v in image_place(stem)[1].items() if k != "Plate"} or (
        place_of((), stem) if anywhere else {}
    )
    raw = "/".join((*folders, stem))
    rest, z = without_z(raw) if planes else (raw, 0)
    return Plane(rest, rest, SINGLE, path, z=z, metadata=metadata)


def _role(listing: Listing) -> dict[str, str]:
    """The role that the words in every name, or in the names of the folders, agree on."""
    roles = {guess_role(PurePosixPath(path).stem) for path in listing.images}
    (role,) = roles if len(roles) == 1 else (None,)
    if role is None and guess_role(listing.folder.name) == "nucleus":
        role = "nucleus"
    return {SINGLE: role} if role else {}
