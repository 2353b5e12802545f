"""Files of microscopes (`.czi`, `.nd2`, `.lif`), read by the readers of bioio where installed.

bioio (https://bioio-devs.github.io) has one package for each maker. Those of Nikon and Leica are
under BSD and MIT, that of Zeiss is under GPL-3: an extra of its own, which the user chooses. What
these readers would fill with zeros (planes that were never written, a cut) is looked for first, in
`microscope_structure`.
"""

import importlib.util
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.plain_words import counted
from cellwise.errors import InputError
from cellwise.store.images.microscope_structure import planes_of
from cellwise.store.images.scenes import Scene

__all__ = ["MAKERS", "Maker", "can_read", "microscope_scenes"]


@dataclass(frozen=True, slots=True)
class Maker:
    """Whose files these are.

    Args:
        name: The company.
        module: The package that reads them.
        extra: The extra of this package that installs it.
    """

    name: str
    module: str
    extra: str

    @property
    def remedy(self) -> str:
        """How to install it."""
        return f"pip install 'cellwise[{self.extra}]'"


MAKERS: Mapping[str, Maker] = {
    ".czi": Maker("Zeiss", "bioio_czi", "bioio-czi"),
    ".nd2": Maker("Nikon", "bioio_nd2", "bioio"),
    ".lif": Maker("Leica", "bioio_lif", "bioio"),
}
"""By ending, which is also the kind of the content after a dot."""


def can_read(ending: str) -> bool:
    """Whether files of this ending are a microscope's and their reader is installed.

    It is looked for and not imported.
    """
    maker = MAKERS.get(ending)
    return maker is not None and (
        maker.module in sys.modules or importlib.util.find_spec(maker.module) is not None
    )


def microscope_scenes(path: Path, kind: str) -> tuple[Scene, ...]:
    """The scenes of a file; nothing is decoded.

    Args:
        path: The file.
        kind: `czi`, `nd2` or `lif`.

    Raises:
        InputError: `reader_missing`, `truncated`, `planes_missing`, `unreadable`.
    """
    if not can_read(f".{kind}"):
        maker = MAKERS[f".{kind}"]
        raise InputError(
            f"It is a file of {maker.name} (.{kind}), and the package that reads them is not "
            "installed.",
            code="reader_missing",
            remedy=maker.remedy,
        )
    stored = planes_of(path, kind)
    reader = import_module(MAKERS[f".{kind}"].module).Reader(path)
    names = tuple(reader.scenes)
    scenes = tuple(_scene(path, kind, reader, number) for number in range(len(names)))
    if stored is not None:
        _refuse_lost(scenes, stored, kind)
    return scenes


def _scene(path: Path, kind: str, reader: Any, number: int) -> Scene:
    reader.set_scene(number)
    lengths = dict(reader.dims.items())
    names = tuple(str(name).strip() for name in reader.channel_names or ())
    across, down = reader.physical_pixel_sizes.X, reader.physical_pixel_sizes.Y
    return Scene(
        axes="".join(lengths),
        shape=tuple(int(length) for length in lengths.values()),
        dtype=np.dtype(reader.dtype).name,
        take=partial(_take, reader, number, "".join(lengths), kind),
        channel_names=names if all(names) else (),
        pixel_size=None if across is None else float(across),
        pixel_height=None if down is None else float(down),
    )


def _take(
    reader: Any, number: int, axes: str, kind: str, chosen: Mapping[str, int]
) -> npt.NDArray[Any]:
    reader.set_scene(number)
    left = "".join(axis for axis in axes if axis not in chosen)
    if kind != "czi" or "S" not in axes:
        return np.asarray(reader.get_image_data(left, **chosen))
    # Zeiss stores blue first.
    colours = {axis: index for axis, index in chosen.items() if axis != "S"}
    pixels = np.asarray(reader.get_image_data(left.replace("S", "") + "S", **colours))[..., ::-1]
    return pixels[..., chosen["S"]] if "S" in chosen else np.moveaxis(pixels, -1, left.index("S"))


def _refuse_lost(scenes: tuple[Scene, ...], stored: int, kind: str) -> None:
    """The readers give zeros for planes that are not there, and pass over what they do not know."""
    apart = "YXSM" if kind == "czi" else "YXSC"
    stated = sum(
        math.prod(n for axis, n in scene.lengths.items() if axis not in apart) for scene in scenes
    )
    # Nikon's files may hold frames of an acquisition that was broken off beside those they state.
    if stored < stated or (kind == "czi" and stored != stated):
        raise InputError(
            f"The file states {counted(stated, 'planes')} in {counted(len(scenes), 'scenes')}, and "
            f"holds {stored}.",
            code="planes_missing",
            remedy="Export it as OME-TIFF from the microscope's program, all planes of the field.",
        )
