"""Weights of segmentation networks: one `.safetensors` file with its card inside.

The card lies as JSON under one key of the file's own metadata, so that weights and card can neither
be parted nor exchanged singly. Nothing in such a file can run code.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cellwise.errors import FormatError, UsageError
from cellwise.registry import did_you_mean
from cellwise.store.atomic import write_bytes

FORMAT = 1
ENDING = ".safetensors"
SHIPPED = Path(__file__).resolve().parents[1] / "weights"
# A folder of the user's that is looked through after the shipped weights.
FOLDER_VARIABLE = "CELLWISE_MODELS"

Tensors = dict[str, npt.NDArray[Any]]

_KEY = "cellwise_network"
_REMEDY = "Convert or fetch the file again (`cellwise models convert --help`)."


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """What a segmentation network is and what it reads.

    Args:
        name: What the weights are called, such as `small_unet`.
        net: Spec of a part of `parts/pixel_nets`: `{"name": ..., option: value}`.
        channels: Roles of the channels it reads, in order.
        facts: Anything else that JSON can hold: scale, normalisation, the command that trained it,
            held-out figures, licence.
    """

    name: str
    net: dict[str, Any]
    channels: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)


def write_network(path: Path, tensors: Mapping[str, npt.NDArray[Any]], card: NetworkCard) -> str:
    """Write weights and card as one file, replacing one that is there.

    Returns:
        The SHA-256 of the whole file, as `sha256sum` prints it.

    Raises:
        UsageError: `path` does not end in `.safetensors`.
        StorageError: The disk is full or cannot be written; an older file stays as it was.
    """
    if path.suffix != ENDING:
        raise UsageError(f"{path}: a file of network weights ends in {ENDING}.")
    # Not `ascontiguousarray`, which makes one-element lists of single values.
    plain = {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}
    head = {"format": FORMAT, "tensors_sha256": _sum(plain), **asdict(card)}
    # One key: of several the order, and so the bytes, would be left to chance.
    text = json.dumps(head, ensure_ascii=False, sort_keys=True)
    content = save(plain, metadata={_KEY: text})
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def read_network_card(path: Path) -> NetworkCard:
    """The card of a file of weights; the weights are not read.

    Raises:
        FormatError: The file is missing, torn, has no card of ours, or is of a newer cellwise.
    """
    if not path.is_file():
        raise FormatError(f"{path} is not there, or is no file.")
    try:
        with safe_open(path, framework="np") as opened:
            metadata = opened.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise FormatError(
            f"{path} is damaged or no safetensors file ({error}). A published `.pth` file has to "
            f"be converted first. {_REMEDY}"
        ) from error
    return _card(path, metadata)


def read_network(path: Path) -> tuple[NetworkCard, Tensors]:
    """Card and weights of a file.

    Raises:
        FormatError: The file is missing, torn, has no card of ours, or is of a newer cellwise.
    """
    card = read_network_card(path)
    try:
        with safe_open(path, framework="np") as opened:
            return card, {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError) as error:
        raise FormatError(f"{path} cannot be read: {error}. {_REMEDY}") from error


def verify_network(path: Path) -> NetworkCard:
    """Compare the weights of a file with the sum that was written with them.

    Raises:
        FormatError: They differ, or the file cannot be read at all.
    """
    card, tensors = read_network(path)
    with safe_open(path, framework="np") as opened:
        head = json.loads(opened.metadata()[_KEY])
    if head.get("tensors_sha256") != _sum(tensors):
        raise FormatError(f"{path} is damaged: its weights are not those written. {_REMEDY}")
    return card


def network_digest(path: Path) -> str:
    """SHA-256 of a file of weights, as `sha256sum` prints it.

    A run asks several times; a file of the same size and time of change is read once.
    """
    facts = path.stat()
    return _digest(path, facts.st_size, facts.st_mtime_ns)


def find_network(name_or_path: str) -> Path:
    """Where the weights of this name lie.

    Looked at in this order: the path itself; the weights shipped with cellwise; the folder that the
    environment variable `CELLWISE_MODELS` names; the user's data folder.

    Raises:
        UsageError: They are nowhere; the message names the places.
    """
    if not name_or_path:
        raise UsageError("No weights are named: give a file or the name of shipped weights.")
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if path.suffix == ENDING or len(path.parts) > 1:
        raise UsageError(f"No file of weights is at {path}. `cellwise models list` names all.")
    for folder in weight_folders():
        found = folder / f"{name_or_path}{ENDING}"
        if found.is_file():
            return found
    known = sorted({file.stem for file in list_networks()})
    places = ", ".join(str(folder) for folder in weight_folders())
    raise UsageError(
        f"No weights are called {name_or_path!r}.{did_you_mean(name_or_path, known)} "
        f"There is: {', '.join(known) or 'none'}. Looked in: {places}. Put the file there, set "
        f"{FOLDER_VARIABLE} to its folder or give its path; published files of the HPA networks "
        "are converted first (`cellwise models convert`)."
    )


def list_networks() -> list[Path]:
    """Every file of weights that can be called by name; of two with one name the first counts."""
    found: dict[str, Path] = {}
    for folder in weight_folders():
        for file in sorted(folder.glob(f"*{ENDING}")):
            found.setdefault(file.stem, file)
    return [found[name] for name in sorted(found)]


def weight_folders() -> list[Path]:
    """The folders that are looked through for weights, first to last."""
    return list(dict.fromkeys(_folders()))


def user_weights() -> Path:
    """The user's data folder for weights, whether it exists or not."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "cellwise" / "models"


def _folders() -> Iterator[Path]:
    yield SHIPPED
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        yield Path(named).expanduser()
    yield user_weights()


def _sum(tensors: Mapping[str, npt.NDArray[Any]]) -> str:
    seen = hashlib.sha256()
    for name in sorted(tensors):
        value = np.asarray(tensors[name], order="C")
        seen.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        seen.update(value.data)
    return seen.hexdigest()


@lru_cache(maxsize=8)
def _digest(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _card(path: Path, metadata: Mapping[str, str]) -> NetworkCard:
    if _KEY not in metadata:
        raise FormatError(f"{path} holds weights, but no card of cellwise. {_REMEDY}")
    try:
        content = json.loads(metadata[_KEY])
        if isinstance(content["format"], int) and content["format"] <= FORMAT:
            return _made(content)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"{path}: its card cannot be read ({error!r}). {_REMEDY}") from error
    raise FormatError(f"{path} was written by a newer cellwise. Update to read it.")


def _made(content: dict[str, Any]) -> NetworkCard:
    net, channels, facts = (content[key] for key in ("net", "channels", "facts"))
    # `dict` and `tuple` would take a text or a list of pairs apart.
    if not isinstance(net, dict) or not isinstance(facts, dict) or not isinstance(channels, list):
        raise TypeError("net and facts are mappings, channels is a list")
    if not isinstance(net["name"], str):
        raise TypeError("net names no network")
    return NetworkCard(str(content["name"]), net, tuple(map(str, channels)), facts)
