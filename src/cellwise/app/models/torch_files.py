"""Both formats of torch files as a flat table of arrays, by means of the inert reader.

`torch` itself is not needed: storages are runs of numbers, and a network is a tree of dictionaries.
"""

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from cellwise.app.models.inert import STORED, Held, InertUnpickler, Refused, Storage, Strided

Array = npt.NDArray[Any]

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
# Where training scripts put the weights among other things.
_NESTED = ("state_dict", "model_state_dict", "model", "net", "weights")
# What is told of a layer, so that it can be compared with the layer that we build.
_TOLD = ("eps", "stride", "padding", "dilation", "groups", "kernel_size", "mode", "scale_factor")
# Layers that share others have more places than the file has bytes: twice as many at each depth.
_MOST_LAYERS = 5000


@dataclass
class Contents:
    """What a file of weights holds.

    Args:
        tensors: Arrays by their dotted name, without the `module.` of parallel training.
        layers: For whole models: class name and settings of every module by its dotted name.
        classes: Every class the file names, none of which was run.
    """

    tensors: dict[str, Array]
    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)


def read_torch_file(stream: IO[bytes]) -> Contents:
    """Read a file that torch wrote: a whole model, a state dict, or one inside another dictionary.

    Raises:
        Refused: It asks for something to be run, or holds no network.
        Exception: It is torn; of which kind depends on the damage.
    """
    if zipfile.is_zipfile(stream):
        return _read_zip(stream)
    stream.seek(0)
    return _read_legacy(stream)


def _read_zip(stream: IO[bytes]) -> Contents:
    with zipfile.ZipFile(stream) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        programs = [name for name in entries if name.endswith("/data.pkl")]
        if any(name.endswith("/constants.pkl") for name in entries):
            raise Refused("it is a TorchScript program; convert the file of weights instead")
        if len(programs) != 1:
            raise Refused("the archive holds no pickle of torch")
        if any(info.compress_type != zipfile.ZIP_STORED for info in entries.values()):
            raise Refused("the archive is compressed, which torch never does")
        home = programs[0].removesuffix("data.pkl")
        order = entries.get(f"{home}byteorder")
        if order is not None and archive.read(order).strip() == b"big":
            raise Refused("its numbers are big-endian")
        unpickler = InertUnpickler(io.BytesIO(archive.read(programs[0])))
        root = unpickler.read()

        def numbers(storage: Storage) -> bytes:
            entry = entries.get(f"{home}data/{storage.key}")
            if entry is None:
                raise Refused(f"the stored numbers {storage.key!r} are not in the archive")
            return archive.read(entry)

        return _contents(root, numbers, unpickler.classes)


def _read_legacy(stream: IO[bytes]) -> Contents:
    unpickler = InertUnpickler(stream)
    if unpickler.read() != _MAGIC or unpickler.read() != _PROTOCOL:
        raise Refused("it is a pickle, but not one of torch")
    facts = unpickler.read()
    if not isinstance(facts, dict) or facts.get("little_endian") is not True:
        raise Refused("its numbers are big-endian")
    root = unpickler.read()
    keys = unpickler.read()
    left = _rest(stream)
    stored: dict[str, bytes] = {}
    for key in map(str, keys):
        (count,) = struct.unpack("<q", stream.read(8))
        size = count * _width(unpickler.kinds[key])
        left -= 8 + size
        if count < 0 or left < 0:
            raise EOFError("the stored numbers end early")
        stored[key] = stream.read(size)
    return _contents(root, lambda storage: stored[storage.key], unpickler.classes)


def _contents(root: Any, numbers: Callable[[Storage], bytes], classes: set[str]) -> Contents:
    found = Contents({}, classes=sorted(classes))
    strided = _named_tensors(root, found.layers)
    runs: dict[Storage, Array] = {}
    for name, tensor in strided.items():
        if tensor.storage not in runs:
            runs[tensor.storage] = _run(tensor.storage, numbers(tensor.storage))
        found.tensors[name] = _array(runs[tensor.storage], tensor, name)
    if not found.tensors:
        raise Refused("it holds no tensor")
    return found


def _without_wrapper(root: Any) -> Any:
    """The network inside what parallel training wraps around it."""
    while isinstance(root, Held):
        modules = root.attributes.get("_modules")
        if not isinstance(modules, dict) or list(modules) != ["module"]:
            return root
        root = modules["module"]
    return root


def _walk(root: Held, strided: dict[str, Strided], layers: dict[str, dict[str, Any]]) -> None:
    """Collect tensors and settings of a module and everything below it."""
    waiting = [("", root)]
    for _ in range(_MOST_LAYERS):
        if not waiting:
            return
        place, module = waiting.pop()
        state = module.attributes
        told = {
            key: state[key]
            for key in _TOLD
            if isinstance(state.get(key), int | float | str | tuple)
        }
        layers[place.rstrip(".")] = {"class": type(module).__qualname__.rpartition(".")[2], **told}
        skipped = state.get("_non_persistent_buffers_set")
        for kind in ("_parameters", "_buffers"):
            for name, value in _dictionary(state, kind).items():
                if isinstance(value, Strided) and not (
                    isinstance(skipped, set) and name in skipped
                ):
                    strided[f"{place}{name}"] = value
        children = _dictionary(state, "_modules").items()
        below = [(f"{place}{name}.", child) for name, child in children if isinstance(child, Held)]
        waiting.extend(reversed(below))
    raise Refused(f"it holds more than {_MOST_LAYERS} layers")


def _dictionary(state: Mapping[Any, Any], key: str) -> Mapping[Any, Any]:
    found = state.get(key)
    return found if isinstance(found, dict) else {}


def _named_tensors(root: Any, layers: dict[str, dict[str, Any]]) -> dict[str, Strided]:
    """Every tensor of a network or of a table of weights, also of one inside another table."""
    root = _without_wrapper(root)
    found: dict[str, Strided] = {}
    if isinstance(root, Held):
        _walk(root, found, layers)
        return found
    if not isinstance(root, dict):
        raise Refused("it holds neither a network nor a table of weights")
    tensors = {str(name): value for name, value in root.items() if isinstance(value, Strided)}
    if not tensors:
        inner = next((root[key] for key in _NESTED if root.get(key) is not None), None)
        return _named_tensors(inner, layers)
    cut = len("module.") if all(name.startswith("module.") for name in tensors) else 0
    return {name[cut:]: value for name, value in tensors.items()}


def _rest(stream: IO[bytes]) -> int:
    """Bytes behind the present place."""
    here = stream.tell()
    end = stream.seek(0, io.SEEK_END)
    stream.seek(here)
    return end - here


def _width(kind: str) -> int:
    name = STORED[kind]
    return 2 if name == "bfloat16" else np.dtype(name).itemsize


def _run(storage: Storage, content: bytes) -> Array:
    name = STORED[storage.kind]
    if name != "bfloat16":
        return np.frombuffer(content, name)
    return (np.frombuffer(content, "<u2").astype("<u4") << np.uint32(16)).view("<f4")


def _array(run: Array, tensor: Strided, name: str) -> Array:
    start = tensor.storage.first + tensor.offset
    reach = [stride * (side - 1) for side, stride in zip(tensor.shape, tensor.strides, strict=True)]
    empty = 0 in tensor.shape
    if not empty and start + sum(reach) >= len(run):
        raise Refused(f"tensor {name!r} reaches beyond its stored numbers")
    if empty:
        return np.zeros(tensor.shape, run.dtype)
    width = run.dtype.itemsize
    strides = [stride * width for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(run[start:], tensor.shape, strides, writeable=False)
    # A stride of 0 repeats one number for ever; a network's weights are never larger than stored.
    if view.size > len(run):
        raise Refused(f"tensor {name!r} is larger than its stored numbers")
    return np.asarray(view, order="C")
