"""Segmenters with weights: where these lie, and the part kept from batch to batch.

Parts of ours have an option `read`, through which the step hands them their weights; adapters to
other packages read a file themselves. Either may have `device` and `threads`, where None is what
the run says. Which they have is seen from their source, so that torch is imported only where a
network is used.

Beside `build` the file of a part may have `weights_file(weights) -> Path`, the file that it reads
itself, `check_card(card, name, option)`, which refuses weights of another kind, and
`check_channels(field, options)`, which refuses channels among which it cannot work.
"""

import ast
import importlib
import importlib.util
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from cellwise.contracts.segmenter import Segmenter
from cellwise.domain.channels import Channel
from cellwise.domain.records import Field
from cellwise.domain.steps import Job
from cellwise.stages.segment import segmenters
from cellwise.stages.segment.spec import LARGE
from cellwise.store.network_weights import (
    NetworkCard,
    Tensors,
    find_network,
    network_digest,
    read_network,
    read_network_card,
)
from cellwise.store.processor import count_cores

# Options that name weights; empty stands for the part's own name.
_NAMING = ("weights", "nuclei", "cells")
# Options that say where and how fast a part works.
_WHERE = ("device", "threads")


class _Enough(Exception):
    """The options were taken; nothing has to be read."""


def is_network(options: dict[str, Any]) -> bool:
    """Whether the part that these options choose is handed weights."""
    return "read" in _defaults(options)


def uses_device(options: dict[str, Any]) -> bool:
    """Whether the chosen part may run on a GPU, where results differ in the last digits."""
    return "device" in _defaults(options)


def weights_of(options: dict[str, Any]) -> dict[str, Path]:
    """The files of weights that the chosen part reads, by the option that names each.

    A file that lies in the cache of another package is among them; none for a part without weights.

    Raises:
        UsageError: There are no such weights.
    """
    defaults = _defaults(options)
    names = {key: options.get(key, defaults[key]) for key in _NAMING if key in defaults}
    if is_network(options):
        return {key: find_network(str(name or options["name"])) for key, name in names.items()}
    weights_file = _beside_build(options, "weights_file")
    if weights_file is not None:
        return {"weights": weights_file(str(names["weights"] or ""))}
    files = {key: Path(name).expanduser() for key, name in names.items() if isinstance(name, str)}
    return {key: file for key, file in files.items() if names[key] and file.is_file()}


def handed(options: dict[str, Any], job: Job) -> dict[str, Any]:
    """The options with what the job says of device and threads, where the part leaves it open."""
    defaults = _defaults(options)
    spec = dict(options)
    if "device" in defaults and spec.get("device") is None:
        # Of the segmenters none has been tried on a Mac's graphics processor.
        spec["device"] = "cpu" if job.device == "mps" else job.device
    if "threads" in defaults and spec.get("threads") is None and job.workers > 1:
        spec["threads"] = max(1, count_cores() // job.workers)
    return spec


def as_of_a_field(options: dict[str, Any], area: int) -> dict[str, Any]:
    """The options by which a piece of a field of so many pixels is worked on as the field is."""
    border = options.get("large", _defaults(options).get("large"))
    if border is None or area <= (border or LARGE):
        return options
    return {**options, "large": 1}


def named_only(options: dict[str, Any]) -> dict[str, Any]:
    """The options without those that count by something else than their text.

    Weights count by their bytes and the device by the one that is used (`key_parts` of the step);
    threads change nothing, whoever says how many.

    Raises:
        UsageError: There are no such weights.
    """
    apart = {*weights_of(options), *_WHERE}
    return {key: value for key, value in options.items() if key not in apart}


def check_network(options: dict[str, Any]) -> None:
    """Refuse wrong options and missing or exchanged weights without reading more than their cards.

    Raises:
        BadOption: An option cannot take its value.
        UsageError: There are no such weights.
        FormatError: They are torn, no weights of ours, or those of another network.
    """
    check_card = _beside_build(options, "check_card")
    for option, path in weights_of(options).items():
        card = read_network_card(path)
        if check_card is not None:
            check_card(card, str(options.get(option) or card.name), option)
    try:
        segmenters.build({**options, "read": _stop})
    except _Enough:
        return


def network_segmenter(options: dict[str, Any], job: Job) -> Segmenter:
    """The part with its weights; the same one as for the batch before where nothing changed."""
    digests = tuple(network_digest(path) for path in weights_of(options).values())
    return _kept(json.dumps(handed(options, job), sort_keys=True), digests)


@lru_cache(maxsize=1)
def _kept(spec: str, _digests: tuple[str, ...]) -> Segmenter:
    # Weights of half a gigabyte take longer to read than a field to segment.
    part: Segmenter = segmenters.build({**json.loads(spec), "read": _read})
    return part


def _read(name: str) -> tuple[NetworkCard, Tensors]:
    return read_network(find_network(name))


def _stop(name: str) -> NoReturn:
    raise _Enough


def _beside_build(options: dict[str, Any], what: str) -> Callable[..., Any] | None:
    """What the file of a part of ours has of this name; None where it has nothing."""
    module = f"{segmenters.package}.{_part(options)}"
    if importlib.util.find_spec(module) is None:
        return None
    found: Callable[..., Any] | None = getattr(importlib.import_module(module), what, None)
    return found


def check_channels(options: dict[str, Any], channels: tuple[Channel, ...]) -> None:
    """Ask the part whether it can work among these channels, where its file says that.

    Raises:
        InputError: It cannot; what a field is called stands for all.
    """
    ask = _beside_build(options, "check_channels")
    if ask is not None:
        ask(Field("Every field", np.zeros((len(channels), 1, 1), np.float32), channels), options)


def _part(options: dict[str, Any]) -> str:
    return str(options.get("name") or "watershed")


def _defaults(options: dict[str, Any]) -> dict[str, Any]:
    """The part's options with their defaults; a default that is no plain value counts as None."""
    page = segmenters.page(_part(options))
    return {option.name: _plain(option.default) for option in page.options}


def _plain(source: str) -> Any:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return None
