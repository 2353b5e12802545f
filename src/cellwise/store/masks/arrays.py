"""Masks as numpy files: `.npy`, `.npz`, and Cellpose's `_seg.npy`, which is a pickle.

A `.npz` holds its label image as `arr_0`, `masks` or `labels`, or two of them as `cells` and
`nuclei`. A pickle names the functions that build its content, so a foreign one can run any program;
`_seg.npy` is opened only where the user allows it, and then by a reader that knows the builders of
numpy arrays and nothing else.

Source: the challenge teams' mask archives (one `.npz` per field, key `arr_0`, HPA 2021); the file
of the Cellpose editor (Stringer et al., Nat Methods 18, 100, 2021).
"""

import io
import pickle
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
import numpy.typing as npt

from cellwise.errors import InputError
from cellwise.store.masks.shapes import broken

Array = npt.NDArray[Any]

ONE_IMAGE = ("arr_0", "masks", "labels")
_PAIR = ("cells", "nuclei")
# No label image of a field is larger. A small archive may unfold to more than the memory, so that
# what it holds is bounded apart.
_MOST_BYTES = 1 << 33
_MOST_UNFOLDED = 10**9
_TORN = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, SyntaxError)
_TORN_PICKLE = (
    *(*_TORN, TypeError, AttributeError, IndexError, MemoryError, RecursionError),
    *(pickle.UnpicklingError, struct.error, OverflowError, AssertionError),
)
# `numpy.core` is the name of `numpy._core` in files of older versions.
_BUILDERS = {
    ("multiarray", "_reconstruct"),
    ("multiarray", "scalar"),
    ("numeric", "_frombuffer"),
}
_BUILD: Any = pickle._Unpickler.dispatch[pickle.BUILD[0]]
PICKLE_REMEDY = (
    "Export the masks as TIFF or PNG. If you made the file yourself: "
    "--set segment.allow_pickle=true."
)


def read_npy(path: Path) -> Array:
    """The array of a `.npy` file.

    Raises:
        InputError: `mask_file`, or `mask_pickle` where it holds Python objects.
    """
    try:
        with path.open("rb") as stream:
            header = _header(stream)
            if header.hasobject:
                raise _pickled(path)
            stream.seek(0)
            return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
    except (*_TORN, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        raise broken(path, f"it is no whole numpy file ({str(error)[:120]})") from error


def read_npz(path: Path) -> tuple[Array, Array | None]:
    """The label image of cells, and that of nuclei where the archive holds both.

    Raises:
        InputError: `mask_file`, `mask_pickle`, or `mask_key` where no array is known as mask.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            names = [name.removesuffix(".npy") for name in sizes]
            chosen = _chosen(path, names)
            if sum(sizes[f"{name}.npy"] for name in chosen) > _MOST_UNFOLDED:
                raise broken(path, "its arrays are larger than any field (1 GB)")
            found = [_member(path, archive, name) for name in chosen]
    except (*_TORN, MemoryError, RuntimeError, NotImplementedError) as error:
        if isinstance(error, InputError):
            raise
        raise broken(path, f"it is no whole numpy archive ({str(error)[:120]})") from error
    return found[0], found[1] if len(found) == 2 else None


def read_seg_npy(path: Path, *, allow_pickle: bool) -> Array:
    """The masks of a Cellpose editor file.

    Args:
        path: The file.
        allow_pickle: The user vouches for it; without this it is refused unopened.

    Raises:
        InputError: `mask_pickle` where it was not allowed or holds more than plain data,
            `mask_file` where it is torn, `mask_key` where it has no masks.
    """
    if not allow_pickle:
        raise _pickled(path)
    try:
        # Numpy warns of odd arguments, as a damaged file may hold, and reads what they mean.
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _header(stream)
            content = _PlainData(stream).load()
    except _ForeignError as error:
        raise InputError(
            f"{path.name}: {error}.", code="mask_pickle", remedy=PICKLE_REMEDY, path=str(path)
        ) from error
    except _TORN_PICKLE as error:
        raise broken(path, f"it is no whole Cellpose file ({str(error)[:120]})") from error
    inner = content.item() if isinstance(content, np.ndarray) and content.ndim == 0 else content
    masks = inner.get("masks") if isinstance(inner, dict) else None
    if not isinstance(masks, np.ndarray):
        raise _no_masks(path, "it holds no array 'masks'")
    return masks


class _ForeignError(pickle.UnpicklingError):
    """The file asks for something that is no plain data."""


class _PlainData(pickle._Unpickler):
    """Builds arrays, dicts, lists, texts and numbers; anything else ends the reading.

    The reader in C keeps its memo as a table as long as the largest number that the file names, so
    a file of twenty bytes could ask for all memory; that of Python keeps what there is.
    """

    stack: list[Any]
    memo: dict[int, Any]

    def find_class(self, module: str, name: str) -> Any:
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        home, _, part = module.rpartition(".")
        if home in ("numpy.core", "numpy._core") and (part, name) in _BUILDERS:
            return super().find_class(f"numpy._core.{part}", name)
        if (module, name) == ("_codecs", "encode"):
            return _bytes_of_text
        raise _ForeignError(f"it asks for {module}.{name}, which is no plain data")

    def _load_build(self) -> None:
        """Gives an array its content; any other object could be changed by it.

        A number type takes its byte order only: numpy believes the rest, damaged or not, and a type
        that is said to hold objects makes it follow numbers as places in memory.
        """
        *_, made, state = self.stack
        if isinstance(made, np.dtype):
            self.stack.pop()
            ordered = made.newbyteorder(state[1])
            self.stack[-1] = ordered
            self.memo.update({key: ordered for key, held in self.memo.items() if held is made})
        elif isinstance(made, np.ndarray):
            _BUILD(self)
        else:
            raise _ForeignError(f"it changes an object of type {type(made).__name__}")

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,
        pickle.BUILD[0]: _load_build,
    }


def _bytes_of_text(text: str, encoding: str) -> bytes:
    """What old protocols store bytes with; other encodings than this one would load code."""
    if encoding != "latin1":
        raise _ForeignError(f"it asks for the encoding {encoding!r}")
    return text.encode("latin1")


def _header(stream: BinaryIO) -> np.dtype[Any]:
    """The number type that a `.npy` stream announces; the stream then stands at its content."""
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"version {version} of the format is not known")
    shape, _, dtype = read(stream)
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > _MOST_BYTES:
        raise ValueError(f"the shape {shape} is larger than any field")
    return dtype


def _chosen(path: Path, names: list[str]) -> tuple[str, ...]:
    if set(_PAIR) <= set(names):
        return _PAIR
    single = [name for name in ONE_IMAGE if name in names] or (names if len(names) == 1 else [])
    if not single:
        raise _no_masks(path, f"it holds {', '.join(names) or 'nothing'}")
    return (single[0],)


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> Array:
    # Read whole: the format's reader needs to seek, and members are checked by their sum.
    stream = io.BytesIO(archive.read(f"{name}.npy"))
    if _header(stream).hasobject:
        raise _pickled(path)
    stream.seek(0)
    return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _no_masks(path: Path, what: str) -> InputError:
    return InputError(
        f"{path.name}: {what}, and no array {', '.join(ONE_IMAGE)}, or cells with nuclei.",
        code="mask_key",
        remedy="Save the label image as arr_0, masks or labels, or as cells and nuclei.",
        path=str(path),
    )


def _pickled(path: Path) -> InputError:
    return InputError(
        f"{path.name} holds Python objects (a pickle): opening it could run any program.",
        code="mask_pickle",
        remedy=PICKLE_REMEDY,
        path=str(path),
    )
