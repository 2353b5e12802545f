"""Segmenters with weights: where these lie, and the part kept from batch to batch.

Parts of ours have an option `read`, through which the step hands them their weights; those of
other packages read a file themselves. Either may have `device` and `threads`. Which they have is
seen from their source, so that torch is imported only where a network is used.
"""

import ast
import json
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from cellwise.domain.records import Field, Masks
from cellwise.domain.steps import Job
from cellwise.stages.segment import segmenters
from cellwise.store.network_weights import (
    NetworkCard,
    Tensors,
    find_network,
    network_digest,
    read_network,
    read_network_card,
)

Segment = Callable[[Field], Masks]

# Options that name weights; empty stands for the part's own name.
_NAMING = ("weights", "nuclei", "cells")


class _Enough(Exception):
    """The options were taken; nothing has to be read."""


def is_network(options: dict[str, Any]) -> bool:
    """Whether the part that these options choose is handed weights."""
    return "read" in _defaults(options)


def uses_device(options: dict[str, Any]) -> bool:
    """Whether the chosen part may run on a GPU, where results differ in the last digits."""
    return "device" in _defaults(options)


def weights_of(options: dict[str, Any]) -> list[Path]:
    """The files of weights that the chosen part reads; none for a part without weights.

    Where a part of another package takes that package's own weights, these are not among them.

    Raises:
        UsageError: Weights of a part of ours are nowhere.
    """
    defaults = _defaults(options)
    names = [options.get(key, defaults[key]) for key in _NAMING if key in defaults]
    if is_network(options):
        return [find_network(str(name or options["name"])) for name in names]
    files = [Path(name).expanduser() for name in names if isinstance(name, str) and name]
    return [file for file in files if file.is_file()]


def handed(options: dict[str, Any], job: Job) -> dict[str, Any]:
    """The options with what the job says of device and threads, where the part has such options."""
    defaults = _defaults(options)
    spec = dict(options)
    if "device" in defaults:
        spec.setdefault("device", job.device)
    if "threads" in defaults and job.workers > 1:
        spec.setdefault("threads", max(1, (os.cpu_count() or 1) // job.workers))
    return spec


def check_network(options: dict[str, Any]) -> None:
    """Refuse wrong options and missing weights without reading these.

    Raises:
        BadOption: An option cannot take its value.
        UsageError: There are no such weights.
        FormatError: They are torn or no weights of ours.
    """
    for path in weights_of(options):
        read_network_card(path)
    try:
        segmenters.build({**options, "read": _stop})
    except _Enough:
        return


def network_segmenter(options: dict[str, Any], job: Job) -> Segment:
    """The part with its weights; the same one as for the batch before where nothing changed."""
    digests = tuple(network_digest(path) for path in weights_of(options))
    return _kept(json.dumps(handed(options, job), sort_keys=True), digests)


@lru_cache(maxsize=1)
def _kept(spec: str, _digests: tuple[str, ...]) -> Segment:
    # Weights of half a gigabyte take longer to read than a field to segment.
    part: Segment = segmenters.build({**json.loads(spec), "read": _read})
    return part


def _read(name: str) -> tuple[NetworkCard, Tensors]:
    return read_network(find_network(name))


def _stop(name: str) -> NoReturn:
    raise _Enough


def _defaults(options: dict[str, Any]) -> dict[str, Any]:
    """The part's options with their defaults; a default that is no plain value counts as None."""
    page = segmenters.page(str(options.get("name") or "watershed"))
    return {option.name: _plain(option.default) for option in page.options}


def _plain(source: str) -> Any:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return None
