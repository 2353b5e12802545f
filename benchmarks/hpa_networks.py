"""HPA-Cell-Segmentation networks with random weights: what converting, loading, one field cost.

    python benchmarks/hpa_networks.py [--json FILE] [--side 2048] [--threads 1]

Random weights of the published shapes take the time and memory of real ones; what they find is
worth nothing. Each case has a process of its own, so that its peak of memory is its own. There is
no peer: HPA-Cell-Segmentation installs with neither this Python nor this torch.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cellwise.app.models.convert import PLANES, convert
from cellwise.domain.channels import Channel
from cellwise.domain.records import Field
from cellwise.parts.pixel_maps import load_net, predict
from cellwise.parts.pixel_nets import pixel_nets
from cellwise.stages.segment import segmenters
from cellwise.store.network_weights import read_network

NAMES = ("dpn_unet_nuclei", "dpn_unet_cell")
Answer = dict[str, Any]
Case = Callable[[Path, int], Answer]


def main() -> None:
    """Run all cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=1)
    words = parser.parse_args()
    rows: list[Answer] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _apart(_make, home, words.side, words.threads)
        for case in (_convert, _load, _pass, _field):
            row = _apart(case, home, words.side, words.threads)
            rows.append({**row, "who": "cellwise", "ratio_to_ours": 1.0})
            print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    if words.json:
        words.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _apart(case: Case, home: Path, side: int, threads: int) -> Answer:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (case, home, side, threads))


def _measured(case: Case, home: Path, side: int, threads: int) -> Answer:
    torch.set_num_threads(threads)
    return {**case(home, side), "peak_mb": round(_peak())}


def _peak() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(one).ru_maxrss for one in who) / 1024


def _timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    def cpu() -> float:
        used = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(one.ru_utime + one.ru_stime for one in used)

    first, start = cpu(), time.perf_counter()
    answer = work()
    spent = {"cpu_s": round(cpu() - first, 2), "wall_s": round(time.perf_counter() - start, 2)}
    return answer, spent


def _make(home: Path, _: int) -> Answer:
    torch.manual_seed(0)
    for name in NAMES:
        net = pixel_nets.build("dpn_unet")
        torch.save(net.state_dict(), home / f"{name}.pth", _use_new_zipfile_serialization=False)
        convert(home / f"{name}.pth", home / f"{name}.safetensors", name)
    return {}


def _convert(home: Path, _: int) -> Answer:
    name = NAMES[0]
    work = _timed(lambda: convert(home / f"{name}.pth", home / "again.safetensors", name))
    return {"case": "convert one file", **work[1]}


def _net(home: Path) -> torch.nn.Module:
    card, tensors = read_network(home / f"{NAMES[0]}.safetensors")
    return load_net(card.net, tensors)


def _load(home: Path, _: int) -> Answer:
    return {"case": "load one network", **_timed(lambda: _net(home))[1]}


def _shown(side: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    padded = -(-(side // 4 + 33) // 32) * 32
    return np.random.default_rng(0).random((1, 3, padded, padded), np.float32)


def _pass(home: Path, side: int) -> Answer:
    net, shown = _net(home), _shown(side)
    predict(net, shown[..., :64, :64])
    return {"case": "one network, one field", **_timed(lambda: predict(net, shown))[1]}


def _field(home: Path, side: int) -> Answer:
    def read(name: str) -> Any:
        return read_network(home / f"{name}.safetensors")

    part = segmenters.build({"name": "hpa_unet", "read": read})
    roles = [role for role in PLANES["dpn_unet_cell"] if role]
    channels = tuple(Channel(role, role) for role in roles)
    pixels = np.random.default_rng(0).random((len(roles), side, side), np.float32)
    part(Field("warm", pixels[:, :256, :256], channels))
    return {
        "case": "both networks and the rules",
        **_timed(lambda: part(Field("a", pixels, channels)))[1],
    }


if __name__ == "__main__":
    main()
