"""The run folder: where each noun lies, and how sites are read back."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellwise.errors import FormatError

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths inside one run folder; nothing is read or made by asking for a path."""

    path: Path

    @property
    def sites(self) -> Path:
        """`sites.parquet`: one row per site and channel."""
        return self.path / "sites.parquet"

    @property
    def reading(self) -> Path:
        """`reading.json`: how the folder was understood, and all that was noticed."""
        return self.path / "reading.json"

    @property
    def pixels(self) -> Path:
        """`pixels.parquet`: what decoding showed, one row per site and channel."""
        return self.path / "pixels.parquet"

    @property
    def statistics(self) -> Path:
        """`statistics.parquet`: brightness of whole sites, per site and channel."""
        return self.path / "statistics.parquet"

    @property
    def segmentation(self) -> Path:
        """`segmentation.parquet`: what was odd about masks that were brought, one row per site."""
        return self.path / "segmentation.parquet"

    @property
    def fingerprints(self) -> Path:
        """`fingerprints.parquet`: what tells a image again, one row per site and channel."""
        return self.path / "fingerprints.parquet"

    @property
    def curation(self) -> Path:
        """`curation.parquet`: which sites teach, and why others do not; one row per site."""
        return self.path / "curation.parquet"

    @property
    def folds(self) -> Path:
        """`folds.parquet`: fold and group per site."""
        return self.path / "folds.parquet"

    @property
    def masks(self) -> Path:
        """Folder of label images; ask `store.masks` for the files in it."""
        return self.path / "masks"

    @property
    def cells(self) -> Path:
        """`cells.parquet`: one row per cell."""
        return self.path / "cells.parquet"

    @property
    def crops(self) -> Path:
        """Folder of single-cell images; ask `store.crops` for what is in it."""
        return self.path / "crops"

    def embeddings(self, name: str) -> Path:
        """Folder of the vectors of one embed step; ask `store.run.embeddings` for what is in it."""
        return self.path / "embeddings" / name

    def model(self, name: str, fold: int | None, part: str = "") -> Path:
        """Folder of the model that left `fold` out, or that of all sites for None.

        `part` is the value of a column, such as a cell type, where each has a model of its own.
        """
        return self.path / "models" / name / model_place(fold, part)

    def scores(self, name: str) -> Path:
        """`scores/<name>.parquet`: merged scores."""
        return self.path / "scores" / f"{name}.parquet"

    def class_maps(self, name: str) -> Path:
        """`scores/<name>.maps.npz`: class maps of some fields; there only where asked for."""
        return self.path / "scores" / f"{name}.maps.npz"

    def labels(self, name: str) -> Path:
        """`labels/<name>.parquet`: labels of cells."""
        return self.path / "labels" / f"{name}.parquet"

    def candidates(self, name: str) -> Path:
        """`labels/<name>.candidates.parquet`: cells whose labels a person should look at."""
        return self.path / "labels" / f"{name}.candidates.parquet"

    @property
    def annotations(self) -> Path:
        """Folder of what people said of cells; ask `store.annotations` for what is in it."""
        return self.path / "annotations"

    def decision(self, name: str) -> Path:
        """`decisions/<name>.json`: what was fitted."""
        return self.path / "decisions" / f"{name}.json"

    def adapted(self, name: str) -> Path:
        """`adapted/<name>.safetensors`: statistics that networks normalise by."""
        return self.path / "adapted" / f"{name}.safetensors"

    def assignment(self, name: str) -> Path:
        """`assignments/<name>.json`: groups of plates, and layouts that recur."""
        return self.path / "assignments" / f"{name}.json"

    def profiles(self, name: str) -> Path:
        """`profiles/<name>.parquet`: one vector for each well."""
        return self.path / "profiles" / f"{name}.parquet"

    def treatments(self, name: str = "assign") -> Path:
        """`treatments.parquet`, or `treatments_<name>.parquet`: one answer for each well."""
        suffix = "" if name == "assign" else f"_{name}"
        return self.path / f"treatments{suffix}.parquet"

    @property
    def predictions(self) -> Path:
        """`predictions.parquet`."""
        return self.path / "predictions.parquet"

    @property
    def predictions_well(self) -> Path:
        """`predictions_well.parquet`: one row per well; there only where sites name their wells."""
        return self.path / "predictions_well.parquet"

    @property
    def wells(self) -> Path:
        """`wells.parquet`."""
        return self.path / "wells.parquet"

    @property
    def metrics(self) -> Path:
        """`metrics.json`."""
        return self.path / "metrics.json"

    @property
    def record(self) -> Path:
        """`run.json`."""
        return self.path / "run.json"

    @property
    def quarantine(self) -> Path:
        """`quarantine.csv`."""
        return self.path / "quarantine.csv"

    @property
    def report(self) -> Path:
        """`report.html`."""
        return self.path / "report.html"

    @property
    def done(self) -> Path:
        """Folder of completion records."""
        return self.path / "done"

    @property
    def known_files(self) -> Path:
        """`done/files.parquet`: the files outside the run as they were last seen."""
        return self.done / "files.parquet"

    @property
    def temporary(self) -> Path:
        """Folder for checkpoints and shards of steps under way."""
        return self.path / "work"


def model_place(fold: int | None, part: str = "") -> str:
    """What the folder of a model is called among those of its step, see `RunFolder.model`."""
    whole = "all" if fold is None else f"fold{fold}"
    return f"{whole}-{_plain(part)}" if part else whole


def _plain(text: str) -> str:
    """A text as the name of a folder; different texts have different names."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", text)
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def run_title(record: dict[str, Any]) -> str:
    """What a run is called on a page: its image folder, from the content of `run.json`.

    A folder called `images`, `input` or `train` goes by the one it lies in.
    """
    folder = str((record.get("inputs") or {}).get("folder") or "")
    words = [word for word in folder.replace("\\", "/").split("/") if word not in ("", ".", "..")]
    plain = [word for word in words[-2:] if word.lower() not in ("images", "input", "train")]
    return plain[-1] if plain else "this run"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FormatError: The file is torn or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is not readable as JSON: {error}") from error
    if not isinstance(content, dict):
        raise FormatError(f"{path}: a JSON object was expected.")
    return content
