"""Sites from files that hold several channels; shared by the layouts that look into files."""

from pathlib import PurePosixPath

from cellwise.contracts.layout import Listing, Plane
from cellwise.domain.headers import Header
from cellwise.stages.read.names import SINGLE

_MOST_CHANNELS = 16
UNREADABLE = "(unreadable)"


def stem_of(path: str) -> str:
    """File name without its ending; `.ome.tif` counts as one ending."""
    return PurePosixPath(path).stem.removesuffix(".ome")


def count_channels(header: Header | None) -> int:
    """Channels in one file: the channel axis, else separate colours or unstated pages."""
    if header is None:
        return 1
    if header.channels > 1:
        return header.channels
    letter = next((axis for axis in "QI" if axis in header.axes), None)
    if letter is None and header.axes.startswith("S"):
        letter = "S"
    count = header.shape[header.axes.index(letter)] if letter else 1
    return count if count <= _MOST_CHANNELS else 1


def planes_in_file(
    listing: Listing, path: str, *, site_id: str, raw_id: str, metadata: dict[str, str], usual: int
) -> list[Plane]:
    """One plane for each channel in a file.

    Args:
        listing: Gives the file's header.
        path: The file.
        site_id: Site id.
        raw_id: Raw id.
        metadata: Columns about the site.
        usual: Channels in most files; a file of unstated pages with another number is one stack.
    """
    header = listing.header(path)
    count = count_channels(header)
    if header is None:
        # What it would hold is taken from the other files, once all are known.
        return [
            Plane(site_id, raw_id, SINGLE if usual == 1 else UNREADABLE, path, metadata=metadata)
        ]
    if count == 1 or (header.channels == 1 and count != usual):
        name = SINGLE if usual == 1 else "ch1"
        return [Plane(site_id, raw_id, name, path, metadata=metadata)]
    names = header.channel_names or tuple(f"ch{number}" for number in range(1, count + 1))
    if len({name.lower() for name in names}) < count:
        names = tuple(f"ch{number}" for number in range(1, count + 1))
    return [
        Plane(site_id, raw_id, name, path, plane=index, metadata=metadata)
        for index, name in enumerate(names)
    ]
