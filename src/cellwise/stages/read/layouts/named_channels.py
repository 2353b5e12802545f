"""A stain's name or number at the end of each file name: `field7_dapi.tif`, `img3-ch2.png`.

Source: exports of ImageJ and microscope viewers, which write one file per channel (Schindelin et
al. 2012, split channels). The site is the path without the channel.
"""

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane
from cellwise.stages.read._files import split_suffixes
from cellwise.stages.read.names import meaning_folders, share

_SPECIFIC = 0.6


def build() -> Layout:
    """Make the layout."""
    return Layout(_recognise, _arrange)


def _recognise(listing: Listing) -> float | None:
    split = split_suffixes(listing.images)
    return share(len(split), listing, specific=_SPECIFIC) if split is not None else None


def _arrange(listing: Listing) -> Arrangement:
    split = split_suffixes(listing.images)
    if split is None:
        return Arrangement((), tuple(listing.images))
    planes = []
    for path, (rest, channel) in split.items():
        folders = meaning_folders(path)
        raw = "/".join((*folders, rest))
        metadata = {"Plate": "_".join(folders)} if folders else {}
        planes.append(Plane(raw, raw, channel, path, metadata=metadata))
    return Arrangement(tuple(planes))
