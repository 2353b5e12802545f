"""One file per channel, told apart by a word of their names or by a folder: `field7_dapi.tif`.

Source: exports of ImageJ (`C1-cell.tif`), of microscope viewers (`cell_ch00.tif`, `cell-C=0.tif`,
`cell (DAPI).tif`) and of ArrayScan (`A01f00d0.tif`), which write one file per channel (Schindelin
et al. 2012, split channels), and folders called by the stain. The site is the path without the
channel.
"""

from cellwise.contracts.layout import Arrangement, Layout, Listing
from cellwise.stages.read.channels.split_names import named_planes, split_names
from cellwise.stages.read.names import share

_SPECIFIC = 0.6


def build() -> Layout:
    """Make the layout."""
    return Layout(_recognise, _arrange)


def _recognise(listing: Listing) -> float | None:
    varying = split_names(listing)
    if varying is None:
        return None
    return share(len(varying.splits), listing, specific=_SPECIFIC)


def _arrange(listing: Listing) -> Arrangement:
    varying = split_names(listing)
    if varying is None:
        return Arrangement((), tuple(listing.images))
    planes, notes = named_planes(listing, varying)
    rest = tuple(path for path in listing.images if path not in varying.splits)
    return Arrangement(tuple(planes), rest, notes=notes)
