"""Class maps of some fields: where in a field a network saw each class.

Source: numpy's npz container, without pickles.
"""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cellwise.errors import FormatError
from cellwise.store.atomic import writing

FORMAT_VERSION = 1

_TORN = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class ClassMaps:
    """Maps of the fields of one score step.

    Args:
        classes: The positive classes.
        sites: Site ids.
        maps: float16 `[site, class, y, x]`, logits, coarser than the pixels.
    """

    classes: tuple[str, ...]
    sites: tuple[str, ...]
    maps: npt.NDArray[np.float16]


def write_class_maps(path: Path, kept: ClassMaps) -> None:
    """Write the maps of a score step; see `RunFolder.class_maps`."""
    with writing(path) as partial:
        np.savez_compressed(
            partial,
            format=np.array(FORMAT_VERSION),
            classes=np.array(kept.classes, np.str_),
            sites=np.array(kept.sites, np.str_),
            maps=kept.maps,
        )


def read_class_maps(path: Path) -> ClassMaps:
    """Read what `write_class_maps` wrote.

    Raises:
        FormatError: The file is torn or holds something else.
    """
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as found:
            version = int(found["format"])
            classes, sites, maps = found["classes"], found["sites"], found["maps"]
    except _TORN as error:
        raise FormatError(f"{path} holds no class maps that can be read: {error}.") from error
    if version > FORMAT_VERSION:
        raise FormatError(f"{path} was written by a newer cellwise (format {version}).")
    if maps.ndim != 4 or maps.shape[:2] != (len(sites), len(classes)):
        raise FormatError(f"{path}: {maps.shape} maps for {len(sites)} sites.")
    return ClassMaps(tuple(classes.tolist()), tuple(sites.tolist()), maps)
