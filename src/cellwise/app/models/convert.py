"""Published weights of the networks of HPA-Cell-Segmentation as safetensors with a card.

The published files are pickles of whole models and name classes of a package that nobody can
install any more. They are read in a process of its own that runs nothing of them (`child`,
`inert`), and what comes out is compared with the network that we build.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from cellwise.app.models.agreement import disagreements
from cellwise.errors import FormatError, UsageError
from cellwise.registry import did_you_mean
from cellwise.store.network_weights import ENDING, NetworkCard, write_network

Tensors = dict[str, npt.NDArray[Any]]

# Roles of the three planes that each network reads; None is a plane of zeros.
PLANES: dict[str, tuple[str | None, ...]] = {
    "dpn_unet_nuclei": ("nucleus", "nucleus", "nucleus"),
    "dpn_unet_cell": ("microtubule", "er", "nucleus"),
    "dpn_unet_cell_2ch": ("microtubule", None, "nucleus"),
}
# Words in the names of the published files, the more telling first.
_WORDS = (
    ("nuclei", "dpn_unet_nuclei"),
    ("3ch", "dpn_unet_cell"),
    ("cell_v2", "dpn_unet_cell_2ch"),
    ("2ch", "dpn_unet_cell_2ch"),
)
_MEAN = [124 / 255, 117 / 255, 104 / 255]
_STD = [1 / (0.0167 * 255)] * 3
# Old torch did not count batches, and an evaluated network does not look at the count.
_OPTIONAL = ".num_batches_tracked"
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from cellwise.app.models.child import main; sys.exit(main(*sys.argv[2:]))"
)
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Converted:
    """What came of a conversion.

    Args:
        name: Which network it is.
        sha256: Digest of the file written.
        tensors: How many tensors it holds.
        compared: Whether the layers' settings could be compared too: a state dict has none.
    """

    name: str
    sha256: str
    tensors: int
    compared: bool


def convert(source: Path, target: Path, name: str = "") -> Converted:
    """Read a published file and write it in our format.

    Args:
        source: A whole model or state dict as torch wrote it, or safetensors.
        target: Ends in `.safetensors`.
        name: One of `PLANES`; empty recognises the names of the published files.

    Raises:
        UsageError: A wrong name or ending, or no name where none can be recognised.
        FormatError: The file is torn, asks for something to be run, or is another network.
        StorageError: `target` cannot be written.
    """
    name = checked_name(name, source)
    if target.suffix != ENDING:
        raise UsageError(f"--out {target}: a file of network weights ends in {ENDING}.")
    if not source.is_file():
        raise UsageError(f"{source} is not there, or is no file.")
    tensors, layers = _read(source)
    fitted = _fitted(tensors, source)
    wrong = disagreements(layers)
    if wrong:
        raise FormatError(
            f"{source} has the weights of a network of HPA-Cell-Segmentation, but other layers: "
            f"{_some(wrong)}. Its maps would be wrong here."
        )
    planes = PLANES[name]
    facts: dict[str, Any] = {
        "planes": list(planes),
        "mean": _MEAN,
        "std": _STD,
        "maps": ["background", "border", "interior"],
        "pixel_size": 0.08,
        "scale": 0.25,
        "source": {"file": source.name, "sha256": _digest(source)},
        "licence": "as stated where the file was published",
    }
    roles = tuple(dict.fromkeys(role for role in planes if role))
    card = NetworkCard(name, {"name": "dpn_unet"}, roles, facts)
    digest = write_network(target, fitted, card)
    return Converted(name, digest, len(fitted), bool(layers))


def expected_shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of the published networks, as recorded."""
    text = (resources.files("cellwise.app.models") / "dpn_unet.shapes.txt").read_text("utf-8")
    rows = (line.split() for line in text.splitlines())
    return {
        name: () if shape == "scalar" else tuple(map(int, shape.split("x"))) for name, shape in rows
    }


def checked_name(name: str, source: Path) -> str:
    """The network's name as given, else as the file's name tells it.

    Raises:
        UsageError: No such network, or none is told.
    """
    if name and name not in PLANES:
        raise UsageError(
            f"No published network is called {name!r}.{did_you_mean(name, list(PLANES))} "
            f"--name is one of {', '.join(PLANES)}."
        )
    found = name or next((known for word, known in _WORDS if word in source.stem.lower()), "")
    if not found:
        raise UsageError(
            f"{source.name} does not tell which network it holds, and all have the same shapes. "
            f"Give --name: one of {', '.join(PLANES)}."
        )
    return found


def _read(source: Path) -> tuple[Tensors, dict[str, dict[str, Any]]]:
    if source.suffix == ENDING:
        return _load(source.read_bytes(), source), {}
    with tempfile.TemporaryDirectory(prefix="cellwise-") as folder:
        middle = Path(folder) / f"tensors{ENDING}"
        told = _ask_child(source, middle)
        return _load(middle.read_bytes(), source), told["layers"]


def _ask_child(source: Path, middle: Path) -> dict[str, Any]:
    """Have the file read by a process of its own; what it said."""
    words = [sys.executable, "-I", "-c", _PROGRAM, json.dumps([p for p in sys.path if p])]
    seconds = 120 + source.stat().st_size / 5_000_000
    try:
        done = subprocess.run(
            [*words, str(source.resolve()), str(middle)],
            capture_output=True,
            text=True,
            timeout=seconds,
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FormatError(
            f"{source} could not be read within {seconds:.0f} s: it is damaged."
        ) from error
    try:
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (json.JSONDecodeError, IndexError) as error:
        raise FormatError(
            f"{source} ended the process that read it (status {done.returncode}): it is damaged, "
            f"or asks for more memory or time than such a file needs. {done.stderr[-300:]}".rstrip()
        ) from error
    if "refused" in told:
        raise FormatError(
            f"{source} is refused, nothing of it was run: {told['refused']}. No file of weights "
            "needs that; get the published file again and compare its hash."
        )
    if "torn" in told:
        raise FormatError(
            f"{source} is damaged or no file of torch ({told['torn']}). Get it again and compare "
            "its hash with the published one."
        )
    return told


def _environment() -> dict[str, str]:
    # One thread each, or their stacks fill the memory that is allowed.
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    kept = {"SYSTEMROOT", "LD_LIBRARY_PATH", "TMPDIR", "TEMP"}
    return {**{k: v for k, v in os.environ.items() if k in kept}, **dict.fromkeys(names, "1")}


def _load(content: bytes, source: Path) -> Tensors:
    try:
        tensors: Tensors = load(content)
    except (SafetensorError, ValueError) as error:
        raise FormatError(f"{source} cannot be read: {error}.") from error
    return tensors


def _fitted(tensors: Mapping[str, npt.NDArray[Any]], source: Path) -> Tensors:
    """The tensors as the network wants them.

    Raises:
        FormatError: Some are missing, beyond those wanted, of other shapes or not finite.
    """
    expected = expected_shapes()
    missing = [n for n in expected if n not in tensors and not n.endswith(_OPTIONAL)]
    beyond = [name for name in tensors if name not in expected]
    shaped = [
        f"{name} is {_text(tensors[name].shape)} instead of {_text(shape)}"
        for name, shape in expected.items()
        if name in tensors and tensors[name].shape != shape
    ]
    problems = [
        f"{len(names)} {what} ({_some(names)})"
        for what, names in (
            ("missing", missing),
            ("unexpected", beyond),
            ("of other shape", shaped),
        )
        if names
    ]
    if problems:
        raise FormatError(
            f"{source} is no network published by HPA-Cell-Segmentation. Of the {len(expected)} "
            f"tensors: {'; '.join(problems)}."
        )
    fitted: Tensors = {}
    for name, shape in expected.items():
        kind = np.int64 if name.endswith(_OPTIONAL) else np.float32
        fitted[name] = np.asarray(tensors.get(name, np.zeros(shape)), kind)
        if not np.isfinite(fitted[name]).all():
            raise FormatError(f"{source}: tensor {name} holds values that are no numbers.")
    return fitted


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single value"


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
