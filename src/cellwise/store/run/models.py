"""Model bundles: a folder with weights and a card that says what they are for.

`model.safetensors` holds the weights of a network or the arrays of a learner, `model.json` the
card: classes, channels, normalisation, net or learner, task, crops, provenance, and the hash of the
weights. A bundle appears whole or not at all.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cellwise.domain.channels import Channel
from cellwise.errors import FormatError, PreflightError
from cellwise.store.atomic import write_bytes, write_text
from cellwise.store.run.folder import read_json

FORMAT = 1
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "model.json"

Weights = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is for and where it comes from.

    Args:
        classes: Positive classes, in the order of the logits.
        negative: The exclusive negative class, or None.
        channels: What the network reads, in order.
        normalisation: `mode`, and `mean` and `std` per channel.
        net: The network's part spec.
        task: The task's part spec.
        unit: `cell` for crops, `site` for whole fields.
        crop: `size` of the pixels in a side, and how crops were cut as far as known; for vectors
            their `length`.
        step: Name of the train step.
        fold: The fold left out, or None.
        seed: Root of the training's randomness.
        version: The cellwise version that trained it.
        training: Facts such as epochs run, numbers of cells and sites, final losses, options.
        scales: Intensity scale by channel of the images it learned from, see `read.scale`; empty
            on cards of older runs.
        learner: The learner's part spec where no network was trained; the weights are its arrays.
        part: `column` and `value`, such as a cell type, where it is a model for those sites only.
        covariate: `column` and `values`, where the network is told which of them a site has.
    """

    classes: tuple[str, ...]
    negative: str | None
    channels: tuple[Channel, ...]
    normalisation: dict[str, Any]
    net: str | dict[str, Any]
    task: str | dict[str, Any]
    unit: str
    crop: dict[str, Any]
    step: str
    fold: int | None
    seed: int
    version: str
    training: dict[str, Any] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)
    learner: str | dict[str, Any] = ""
    part: dict[str, str] = field(default_factory=dict)
    covariate: dict[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        """How many channels the network reads, or numbers where it reads vectors."""
        return len(self.channels) or int(self.crop["length"])


def write_model(
    folder: Path,
    weights: Mapping[str, npt.NDArray[Any]],
    card: ModelCard,
    beside: Mapping[str, Mapping[str, npt.NDArray[Any]]] | None = None,
) -> str:
    """Write a bundle, replacing one that is there; returns the hash of the weights.

    Args:
        folder: Its place.
        weights: By name.
        card: What it is.
        beside: Further weights of the same network, such as those that were best for a cell type;
            see `read_beside`.

    Raises:
        StorageError: The disk is full or cannot be written; an older bundle stays as it was.
    """
    content = save({name: np.ascontiguousarray(value) for name, value in weights.items()})
    digest = hashlib.sha256(content).hexdigest()
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.partial")
    try:
        write_bytes(partial / WEIGHTS_FILE, content)
        text = {"format": FORMAT, "sha256": digest, **asdict(card)}
        for name in ("net", "task", "learner", "training"):
            text[name] = _in_order(text[name])
        for name in ("learner", "part", "covariate"):
            if not text[name]:
                # Cards of networks say what they always said.
                text.pop(name)
        if beside:
            text["beside"] = {}
        for number, (name, others) in enumerate(sorted((beside or {}).items())):
            more = save({key: np.ascontiguousarray(value) for key, value in others.items()})
            write_bytes(partial / f"beside{number}.safetensors", more)
            text["beside"][name] = hashlib.sha256(more).hexdigest()
        write_text(partial / CARD_FILE, json.dumps(text, indent=1, ensure_ascii=False) + "\n")
        _swap(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return digest


def _in_order(value: Any) -> Any:
    """Options of parts by their names: a run that is resumed reads them from its record so."""
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value, key=str)}
    return [_in_order(one) for one in value] if isinstance(value, list | tuple) else value


def read_card(folder: Path) -> ModelCard:
    """The card of a bundle; the weights are not looked at.

    Raises:
        FormatError: The card is missing, torn, or of a newer cellwise.
    """
    content = _read_text(folder)
    try:
        return ModelCard(
            classes=tuple(content["classes"]),
            negative=content["negative"],
            channels=tuple(Channel(c["name"], c["role"]) for c in content["channels"]),
            **{key: content[key] for key in _PLAIN},
            scales=content.get("scales", {}),
            learner=content.get("learner", ""),
            part=content.get("part", {}),
            covariate=content.get("covariate", {}),
        )
    except (KeyError, TypeError) as error:
        raise FormatError(f"{folder / CARD_FILE} lacks {error}; train the model again.") from error


_PLAIN = (
    "normalisation",
    "net",
    "task",
    "unit",
    "crop",
    "step",
    "fold",
    "seed",
    "version",
    "training",
)


def read_model(folder: Path) -> tuple[ModelCard, Weights]:
    """Card and weights of a bundle, the weights checked against their hash.

    Raises:
        FormatError: Something is missing, torn, changed, or of a newer cellwise.
    """
    card = read_card(folder)
    content = _verified(folder)
    try:
        return card, load(content)
    except SafetensorError as error:
        raise FormatError(f"{folder / WEIGHTS_FILE} cannot be read: {error}.") from error


def read_beside(folder: Path, name: str) -> Weights | None:
    """Further weights of a bundle by their name; None where it has none of that name.

    Raises:
        FormatError: They are missing, torn or changed.
    """
    known = _read_text(folder).get("beside", {})
    if name not in known:
        return None
    path = folder / f"beside{sorted(known).index(name)}.safetensors"
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != known[name]:
        raise FormatError(f"{path} is missing or damaged. Run the train step again.")
    weights: Weights = load(content)
    return weights


def verify_model(folder: Path) -> None:
    """Compare the weights with the hash on the card.

    Raises:
        FormatError: They differ, or one of the files is missing or torn.
    """
    read_card(folder)
    _verified(folder)


def check_classes(card: ModelCard, classes: Sequence[str]) -> None:
    """Refuse a model of other classes, or of the same in another order.

    Raises:
        PreflightError: The message names the classes that differ.
    """
    if tuple(classes) == card.classes:
        return
    lacking = [name for name in classes if name not in card.classes]
    beyond = [name for name in card.classes if name not in classes]
    detail = (
        f"it lacks {lacking}, and has {beyond} beyond them"
        if lacking or beyond
        else f"their order is {list(card.classes)}"
    )
    raise PreflightError(
        f"Model {card.step!r} was trained on other classes than {list(classes)}: {detail}. "
        "Train it on these classes, or use the class list it was trained with."
    )


def channel_positions(card: ModelCard, channels: Sequence[Channel]) -> list[int]:
    """Where each channel that the model reads lies among `channels`; found by key, in any order.

    Raises:
        PreflightError: A channel that the model reads is not there.
    """
    keys = [channel.key for channel in channels]
    missing = [channel.key for channel in card.channels if channel.key not in keys]
    if missing:
        raise PreflightError(
            f"Model {card.step!r} reads channel {missing[0]!r}, which is not here "
            f"(found: {', '.join(keys)}). Name the channel's role when reading the folder: "
            "--set read.roles.<channel>=<role>."
        )
    return [keys.index(channel.key) for channel in card.channels]


def _read_text(folder: Path) -> dict[str, Any]:
    path = folder / CARD_FILE
    if not path.is_file():
        raise FormatError(f"{folder} holds no model. Run the train step again.")
    content = read_json(path)
    if not isinstance(content.get("format"), int) or content["format"] > FORMAT:
        raise FormatError(f"{path} was written by a newer cellwise, or is no model card.")
    return content


def _verified(folder: Path) -> bytes:
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise FormatError(f"{path} is missing. Run the train step again.")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _read_text(folder).get("sha256"):
        raise FormatError(
            f"{path} is not the file its card describes (the hash differs): it is damaged or was "
            "exchanged. Run the train step again."
        )
    return content


def _swap(partial: Path, folder: Path) -> None:
    """Put a finished folder in its place; a rename cannot replace a folder that is not empty."""
    if folder.exists():
        old = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.old")
        folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old)
    else:
        partial.rename(folder)
    handle = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
