"""One file per site with all channels in it: OME-TIFF, ImageJ hyperstack, plain multi-page TIFF.

Source: the OME-TIFF specification (Goldberg et al. 2005) and ImageJ's hyperstacks (Schindelin et
al. 2012), which name the channels; in a plain TIFF two to sixteen pages, as many in every file, are
taken as channels `ch1`, `ch2`...
"""

from collections import Counter

from cellwise.contracts.layout import Arrangement, Layout, Listing
from cellwise.domain.plain_words import by_number, counted
from cellwise.stages.read._files import count_channels, planes_in_file, stem_of
from cellwise.stages.read.names import image_place, meaning_folders, zarr_place

_SPECIFIC = 0.7
_UNSTATED = 0.5


def build() -> Layout:
    """Make the layout."""
    return Layout(_recognise, _arrange)


def _recognise(listing: Listing) -> float | None:
    headers = [listing.header(path) for path in listing.images]
    known = [header for header in headers if header is not None]
    stated = sum(header.channels > 1 for header in known)
    if known and 2 * stated >= len(known):
        return _SPECIFIC * stated / len(known)
    counts = {count_channels(header) for header in known}
    return _UNSTATED if len(counts) == 1 and max(counts) > 1 else None


def _arrange(listing: Listing) -> Arrangement:
    counts = Counter(count_channels(listing.header(path)) for path in listing.images)
    usual = counts.most_common(1)[0][0]
    planes = []
    for path in listing.images:
        stem, folders = stem_of(path), meaning_folders(path)
        raw = "/".join((*folders, stem))
        site_id, metadata = raw, {"Plate": "_".join(folders)} if folders else {}
        found = zarr_place(path)
        if not found[0]:
            found = image_place(stem, "_".join(folders))
        if found[0]:
            site_id, metadata = found
        planes += planes_in_file(
            listing, path, site_id=site_id, raw_id=raw, metadata=metadata, usual=usual
        )
    return Arrangement(tuple(planes), notes=_notes(listing))


def _notes(listing: Listing) -> tuple[str, ...]:
    unstated = sum(
        header is not None and header.channels == 1 and count_channels(header) > 1
        for header in (listing.header(path) for path in listing.images)
    )
    if not unstated:
        return ()
    return (
        f"{counted(unstated, 'files')} {by_number(unstated, 'does', 'do')} not say what their "
        "pages are; "
        "these are taken as channels ch1, ch2... "
        "If they are one stack: --layout single_channel.",
    )
