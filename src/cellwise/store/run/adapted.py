"""Statistics of batch normalisation, by group of sites and model, in one file.

`adapted/<name>.safetensors` holds a mean and a variance of each layer of each model for each group;
groups and models are listed in its header. One group is read at a time.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cellwise.errors import FormatError
from cellwise.store.atomic import write_bytes

FORMAT = 1
Floats = npt.NDArray[np.float32]
# Mean and variance by layer.
Statistics = dict[str, tuple[Floats, Floats]]


def write_adapted(path: Path, found: Mapping[tuple[str, str], Statistics], *, by: str) -> None:
    """Write the statistics.

    Args:
        path: The file.
        found: By group and model.
        by: What groups are: `plate` or `experiment`.
    """
    entries = sorted(found)
    arrays = {
        f"{place}/{layer}/{word}": values
        for place, entry in enumerate(entries)
        for layer, pair in found[entry].items()
        for word, values in zip(("mean", "variance"), pair, strict=True)
    }
    facts = {"format": FORMAT, "by": by, "entries": entries}
    write_bytes(path, save(arrays, metadata={"cellwise": json.dumps(facts)}))


class Adapted:
    """A file of adapted statistics, opened.

    Raises:
        FormatError: It is missing, torn, or of a newer cellwise.
    """

    def __init__(self, path: Path) -> None:
        try:
            with safe_open(path, "numpy") as file:
                facts = json.loads((file.metadata() or {})["cellwise"])
                self._layers = list(file.keys())
            if int(facts["format"]) > FORMAT:
                raise FormatError(f"{path} was written by a newer cellwise.")
            self.by = str(facts["by"])
            self._places = {(group, model): k for k, (group, model) in enumerate(facts["entries"])}
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise FormatError(f"{path} cannot be read: {error}. Let its step run again.") from error
        self._path = path

    @property
    def groups(self) -> list[str]:
        """The groups, sorted."""
        return sorted({group for group, _ in self._places})

    def read(self, group: str | None, model: str) -> Statistics | None:
        """The statistics of a model in a group; None where it was not adapted there."""
        place = self._places.get((group or "", model))
        if place is None:
            return None
        own = [name for name in self._layers if name.startswith(f"{place}/")]
        layers = {name.split("/", 1)[1].rsplit("/", 1)[0] for name in own}
        with safe_open(self._path, "numpy") as file:
            return {
                layer: (
                    file.get_tensor(f"{place}/{layer}/mean"),
                    file.get_tensor(f"{place}/{layer}/variance"),
                )
                for layer in sorted(layers)
            }
