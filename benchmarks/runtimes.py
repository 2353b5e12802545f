"""Cells that a network scores in a second by each runtime, beside the first HPA system's way.

    OMP_NUM_THREADS=1 python benchmarks/runtimes.py [--models resnet18 densenet121] [--cells 10]
                                                    [--crop 128] [--repeats 3] [--json FILE]

That way: each cell alone in a frame of 512 pixels, everything else black, in single precision with
channels first, as torch does by itself. Ours: the same network on a crop of the cell, by the
runtimes that `predict --runtime auto` chooses from. Networks have weights by chance, 4 channels and
19 classes; all take turns in one run. Before any clock runs each runtime's probabilities are held
against those of single precision, and one that differs by more than the tolerance is left out. CPU
seconds of one thread, the median of the repeats with least and most; the time to compile stands
beside. Reading, segmentation and crops are no part of it: `predict` as a whole was not measured.
"""

import argparse
import json
import platform
import statistics
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from benchmarks.shared_trunk import make_predictor, make_site, measure

from cellwise.contracts.scorer import SitePixels
from cellwise.parts.panel import steady
from cellwise.parts.predictor import LoadedModel
from cellwise.parts.runtimes import runtimes_here, with_runtime
from cellwise.parts.runtimes.choice import TOLERANCE
from cellwise.stages.score import scorers

FRAME = 512


def as_torch_has_it(model: LoadedModel) -> LoadedModel:
    """The model with channels first, as a program that says nothing of it has."""
    first = torch.contiguous_format
    return replace(model, net=model.net.to(memory_format=first))  # type: ignore[call-overload]


def compare(name: str, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for the way of the first system and one for each runtime."""
    site = make_site(asked.cells, FRAME)
    crops = torch.rand(asked.cells, 4, asked.crop, asked.crop)
    cells = SitePixels(crops, torch.empty(0), torch.empty(0), site.numbers)
    frames, each = scorers.build("masked_view"), scorers.build("cell_net")
    plain = make_predictor(name)
    ways: dict[str, Any] = {}
    facts: dict[str, dict[str, Any]] = {}
    own = each.score(plain, cells).sigmoid()
    for runtime in runtimes_here("cpu"):
        begun = time.process_time()
        model = with_runtime(plain, runtime, threads=asked.threads)
        difference = float((each.score(model, cells).sigmoid() - own).abs().max())
        facts[runtime] = {
            "first_answer_s": round(time.process_time() - begun, 2),
            "difference": round(difference, 6),
        }
        if difference <= TOLERANCE:
            ways[runtime] = partial(each.score, model, cells)
    slow = as_torch_has_it(make_predictor(name))
    ways["frames of 512, fp32, channels first"] = partial(_frames, slow, frames, site)
    found = measure(ways, asked.repeats)
    slowest = statistics.median(found["frames of 512, fp32, channels first"])
    return [
        {
            "network": name,
            "way": way,
            "cells_per_s": round(asked.cells / statistics.median(times), 2),
            "least_most_s": [round(min(times), 3), round(max(times), 3)],
            "times_the_frames": round(slowest / statistics.median(times), 1),
            **facts.get(way, {}),
        }
        for way, times in found.items()
    ]


def _frames(model: LoadedModel, scorer: Any, site: SitePixels) -> Any:
    # `LoadedModel` brings images to channels last; this one is asked without.
    class Asked:
        def __call__(self, pixels: torch.Tensor, *_: Any) -> Any:
            return model.net(model.normalisation(pixels).contiguous())

    return scorer.score(Asked(), site)


def main() -> None:
    """Measure and print one line for each network and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["resnet18", "densenet121"])
    parser.add_argument("--cells", type=int, default=10)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    torch.manual_seed(0)
    print(f"{platform.machine()}, torch {torch.__version__}", flush=True)
    rows = []
    with steady(asked.threads):
        for name in asked.models:
            for row in compare(name, asked):
                rows.append(row)
                print(json.dumps(row), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
