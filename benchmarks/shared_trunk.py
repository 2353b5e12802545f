"""Scores of a field's cells: one pass for all of them, beside each cell in a frame of its own.

    OMP_NUM_THREADS=1 python benchmarks/shared_trunk.py [--models tiny resnet18] [--side 512]
                                                        [--cells 10 30] [--repeats 3] [--json FILE]

The same network (random weights, 4 channels, 19 classes) scores the same cells by the scorers
`shared_trunk` and `masked_view` (frames of the field's size), taking turns in one run. Before any
clock runs, a cell that fills the whole field is scored by both and must come out alike. CPU seconds
of one thread, the median of the repeats with least and most. What the short way costs in accuracy
is a row of `cellwise ladder OUT --rows learners`.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cellwise.contracts.scorer import SitePixels
from cellwise.parts.nets import nets
from cellwise.parts.normalise import Normalisation
from cellwise.parts.panel import steady
from cellwise.parts.predictor import LoadedModel
from cellwise.stages.score import scorers

CHANNELS, CLASSES = 4, 19
PLAIN = Normalisation("standard", (0.5,) * CHANNELS, (0.25,) * CHANNELS)


def make_site(cells: int, side: int, seed: int = 0) -> SitePixels:
    """Noise, and cells as discs on a grid that fill about two thirds of the field."""
    rng = np.random.default_rng(seed)
    grid = int(np.ceil(np.sqrt(cells)))
    step = side / grid
    y, x = np.mgrid[:side, :side]
    row, column = np.minimum(y // step, grid - 1), np.minimum(x // step, grid - 1)
    number = (row * grid + column + 1).astype(np.int64)
    inside = np.hypot(y - (row + 0.5) * step, x - (column + 0.5) * step) < 0.46 * step
    masks = torch.from_numpy(np.where(inside & (number <= cells), number, 0))
    field = torch.from_numpy(rng.random((CHANNELS, side, side), np.float32))
    return SitePixels(torch.empty(0), field, masks, torch.arange(1, cells + 1))


def make_predictor(model: str) -> LoadedModel:
    """`tiny`, or a backbone that timm knows by this name."""
    spec: Any = "tiny" if model == "tiny" else {"name": "backbone", "model": model}
    torch.manual_seed(0)
    net = nets.build(spec)(CHANNELS, CLASSES).eval().to(memory_format=torch.channels_last)
    return LoadedModel(net, PLAIN, "cpu")


def check(predictor: LoadedModel, side: int) -> None:
    """A cell that is the whole field: both ways see the same."""
    site = make_site(1, side)
    whole = SitePixels(site.crops, site.field, torch.ones_like(site.masks), site.numbers)
    one, other = (
        scorers.build(name).score(predictor, whole) for name in ("shared_trunk", "masked_view")
    )
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def measure(ways: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """CPU seconds of each way, taking turns."""
    for way in ways.values():
        way()
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.process_time()
            way()
            found[name].append(time.process_time() - start)
    return found


def main() -> None:
    """Measure and print one line for each network and number of cells."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["tiny", "resnet18", "densenet121"])
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--cells", type=int, nargs="+", default=[10, 30])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    print(f"{platform.machine()}, torch {version('torch')}, fields of {asked.side} pixels")
    print("| network | cells | shared_trunk, ms | masked_view, ms | ratio |")
    print("| --- | --- | --- | --- | --- |")
    lines = []
    with steady(1):
        for model in asked.models:
            predictor = make_predictor(model)
            check(predictor, asked.side)
            for cells in asked.cells:
                site = make_site(cells, asked.side)
                ways = {
                    name: partial(scorers.build(name).score, predictor, site)
                    for name in ("shared_trunk", "masked_view")
                }
                found = measure(ways, asked.repeats)
                middle = {name: statistics.median(times) for name, times in found.items()}
                ratio = middle["masked_view"] / middle["shared_trunk"]
                shown = [
                    f"{1e3 * middle[n]:,.0f} ({1e3 * min(t):,.0f} to {1e3 * max(t):,.0f})"
                    for n, t in found.items()
                ]
                print(f"| {model} | {cells} | {shown[0]} | {shown[1]} | {ratio:.1f} |", flush=True)
                lines.append({"model": model, "cells": cells, "seconds": found, "ratio": ratio})
    if asked.json:
        asked.json.write_text(json.dumps(lines, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
