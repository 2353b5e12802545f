"""What segmenters of other packages share: the package, its weights, the planes they are shown.

Nothing is ever fetched: weights are a file that the user names, or lie where the package itself
keeps them.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.records import Field, Masks
from cellwise.errors import FormatError, InputError, UsageError
from cellwise.stages.segment.given import pair
from cellwise.stages.segment.watershed import body_planes, nucleus_index
from cellwise.stages.segment.watershed.foreground import Plane
from cellwise.store.run.masks import narrow

# These libraries take a channel for empty whose range is below a thousandth, as that of a dim
# 16-bit image in 0..1 is.
_SCALE = 65535.0


def require_package(name: str, extra: str) -> None:
    """Refuse to go on without a package; it is looked for and not imported.

    Raises:
        UsageError: It is not installed; the message names the extra.
    """
    if name not in sys.modules and importlib.util.find_spec(name) is None:
        raise UsageError(
            f"Segmenter {extra!r} needs a package that is not installed here: "
            f"pip install 'cellwise[{extra}]'"
        )


def package_folder(name: str) -> Path:
    """The folder of an installed package, without importing it."""
    known = sys.modules.get(name)
    place = known.__file__ if known is not None else getattr(_spec(name), "origin", None)
    return Path(str(place)).parent


def find_weights(weights: str, kept: Sequence[Path], *, extra: str, fetch: str) -> Path:
    """The file of weights.

    Args:
        weights: A file that the user names, or empty.
        kept: Where the package keeps weights of this kind, the best first.
        extra: Name of the segmenter, for the message.
        fetch: The command with which the user fetches them himself.

    Raises:
        UsageError: There is no such file.
    """
    if weights:
        path = Path(weights).expanduser()
        if path.is_file():
            return path.resolve()
        raise UsageError(
            f"Segmenter {extra!r}: there is no weights file {weights}. Give the path of a file."
        )
    found = next((path for path in kept if path.is_file()), None)
    if found is None:
        listed = ", ".join(str(path) for path in kept) or "the package's own folder"
        raise UsageError(
            f"Segmenter {extra!r} has no weights here, and cellwise fetches none by itself. "
            f"Looked for: {listed}. Fetch them once with: {fetch} ; or name a file: "
            "--set segment.weights=FILE"
        )
    return found.resolve()


def loaded(module: str, path: Path, load: Callable[[Any], Any]) -> Any:
    """The model that `load` makes with the imported module.

    Raises:
        FormatError: The file holds no weights for this package.
        UsageError: The package lacks something that it needs itself.
    """
    name = module.partition(".")[0]
    try:
        library = importlib.import_module(module)
    except ImportError as error:
        raise UsageError(
            f"The package {name!r} is here but cannot be imported: {error}. "
            f"Install it with all it needs: pip install 'cellwise[{name}]'"
        ) from error
    try:
        return load(library)
    # What torch raises on foreign bytes, and the packages on weights of another model.
    except (ValueError, RuntimeError, KeyError, EOFError, AttributeError, OSError) as error:
        first = str(error).strip().splitlines()[:1]
        raise FormatError(
            f"{path} cannot be loaded by {module}: {''.join(first) or type(error).__name__}. "
            "Give weights of that package's current version."
        ) from error


def at_16_bit(planes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A copy of planes in 0..1 at the scale of 16-bit numbers."""
    return planes * np.float32(_SCALE)


def body_and_nucleus(field: Field, body: Sequence[str] | None) -> tuple[Plane, Plane | None]:
    """The plane of cell bodies and the one of nuclei, None where no stain shows these.

    Where no stain shows the body, the nuclei (or the only channel) stand for it: one plane twice.

    Several body stains are averaged, each brought to its own brightest hundredth first. Planes are
    copies at the scale of 16-bit numbers.

    Raises:
        InputError: `channel_missing`: neither is there, or a stain of `body`.
    """
    nucleus = field.index("nucleus")
    stains = body_planes(field, -1 if nucleus is None else nucleus, body)
    if not stains:
        only = at_16_bit(field.pixels[nucleus_index(field)])
        return only, only
    tops = [max(float(np.percentile(plane, 99)), 1e-6) for plane in stains]
    mean = np.mean([plane / top for plane, top in zip(stains, tops, strict=True)], axis=0)
    seen = None if nucleus is None else at_16_bit(field.pixels[nucleus])
    return at_16_bit(np.asarray(mean, np.float32)), seen


def whole_numbers(field: Field, labels: Any, *, by: str) -> npt.NDArray[Any]:
    """A package's label image, checked.

    Raises:
        InputError: `segmentation`: it is of another size or holds no numbers of cells.
    """
    found = np.asarray(labels)
    if found.shape != field.pixels.shape[1:] or (found.size and found.min() < 0):
        raise InputError(
            f"{field.site_id}: {by} gave a label image of {found.shape} with least value "
            f"{found.min() if found.size else '-'} for a field of {field.pixels.shape[1:]}.",
            code="segmentation",
            remedy="Try a size option of the segmenter, or leave the field out.",
            path=field.site_id,
        )
    return narrow(found.astype(np.int64))


def paired(cells: npt.NDArray[Any], nuclei: npt.NDArray[Any]) -> Masks:
    """Both under the numbers of the cells: a nucleus belongs to the cell that covers most of it."""
    return Masks(cells, pair(cells, nuclei))


def _spec(name: str) -> Any:
    return importlib.util.find_spec(name)
