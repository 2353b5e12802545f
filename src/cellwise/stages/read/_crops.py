"""Images of single cells are recognised and refused: this program starts from fields.

The signs: a stack of many small pages in one file (MitoCheck, BBBC021 crops), or a folder full of
square multi-channel images of one small size (HPA crops of 128 pixels).
"""

from pathlib import PurePosixPath

from cellwise.contracts.layout import Listing
from cellwise.domain.headers import Header
from cellwise.errors import PreflightError

_SMALL = 160
_MANY_PAGES = 24
_SMALL_FILE = 128
_MANY_FILES = 10


def refuse_stacks_of_crops(listing: Listing) -> None:
    """Raise where one file is a stack of small pages; no layout makes fields of them.

    Raises:
        PreflightError: With the file that showed it, and what to do.
    """
    for path, header in _known(listing).items():
        pages = header.z * header.t * header.pages
        if max(header.height, header.width) <= _SMALL and pages >= _MANY_PAGES:
            raise PreflightError(
                f"{path} is a stack of {pages} images of single cells "
                f"({header.height} x {header.width} pixels each), not a field of view. {_ADVICE}"
            )


def refuse_crops(listing: Listing) -> None:
    """Raise where all files are small square multi-channel images; a named layout allows them.

    Raises:
        PreflightError: With a file that showed it, and what to do.
    """
    known = _known(listing)
    sizes = {(header.height, header.width) for header in known.values()}
    several = all(header.channels * header.pages > 1 for header in known.values())
    if len(known) >= _MANY_FILES and several and len(sizes) == 1:
        ((height, width),) = sizes
        if height == width <= _SMALL_FILE:
            name = PurePosixPath(next(iter(known))).name
            raise PreflightError(
                f"All {len(known)} files are multi-channel images of {height} x {width} pixels "
                f"(such as {name}): images of single cells, not fields of view. {_ADVICE} "
                "If they are fields, say so with --layout multichannel."
            )


_ADVICE = (
    "cellwise finds the cells itself and needs the whole fields: give the folder of the original "
    "images."
)


def _known(listing: Listing) -> dict[str, Header]:
    headers = {path: listing.header(path) for path in listing.images}
    return {path: header for path, header in headers.items() if header is not None}
