"""What a card does with cellwise: every task trained, scored and segmented, in one table.

    python -m benchmarks.gpu [--minutes 8] [--quick] [--device auto] [--only TEXT]
        [--work DIR] [--json FILE]

First the card's own rate of matrix products is measured, which the shares below refer to (`fp32`
calculates convolutions in TF32, so its share is of the TF32 rate). Then a few simulated fields of
512 and 1024 pixels, each under several names, go through recipes by the pipeline itself; a listener
takes the times, from one report of progress to another, the first ones left out. Operations are
counted over one report of real work. "Idle" is the share of a short stretch in which the card had
no kernel and no copy to do: time spent waiting for data and for the program. A speed over one
interval says little of a training: loaders may have read its batches before.

Cases share what is left of the minutes; one that is not done by its deadline is stopped and shows
what it did until then. `--only "train cell"` does the cases that begin so. `--quick` takes tiny
fields and networks, on a processor within a minute.
Networks have weights by chance: times are real ones, what they find is worth nothing.
"""

import argparse
import csv
import json
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from benchmarks.gpu_cases import MEASURED, QUICK, Case, Scale, full_cases, full_scale, quick_cases
from benchmarks.gpu_watch import Watch, matmul_rates

import cellwise
from cellwise.errors import CellwiseError, Interrupted
from cellwise.flow.devices import pick_device
from cellwise.flow.pipeline.run import run_pipeline
from cellwise.flow.pipeline.stop import Stopped
from cellwise.flow.request import make_request

Steps = list[dict[str, Any]]
Row = dict[str, Any]

# What a case may end with; the table comes all the same.
FAILURES = (
    *(CellwiseError, RuntimeError, OSError, ImportError, LookupError),
    *(ValueError, TypeError, AttributeError, AssertionError),
)


def make_fields(folder: Path, side: int, scale: Scale) -> Path:
    """A world, and in `folder/fields` its training fields with masks, each under several names."""
    different, names = scale.sides[side]
    world = cellwise.simulate(
        folder / "world", sites=different + 1, size=side, test_share=0.01, workers=scale.workers
    )
    fields = folder / "fields"
    for part in ("train", "masks"):
        (fields / part).mkdir(parents=True)
    with (world / "train.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    with (fields / "train.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for number in range(names):
            row = rows[number % len(rows)]
            new = f"{row['ID'][:-4]}{number:04x}"
            for part, home in (("train", world / "train"), ("masks", world / "truth" / "masks")):
                for file in home.glob(f"{row['ID']}_*"):
                    os.link(file, fields / part / file.name.replace(row["ID"], new))
            writer.writerow({**row, "ID": new})
    return fields


@dataclass(slots=True)
class Bench:
    """Does cases in the folder `work`."""

    work: Path
    device: str
    scale: Scale
    items: dict[int, dict[str, int]] = field(default_factory=dict)

    def prepare(self) -> None:
        """Draw the fields, cut the cells, weights for the HPA-Cell-Segmentation networks."""
        for side in self.scale.sides:
            fields = make_fields(self.work / str(side), side, self.scale)
            self._pipeline(side, "run", [], None)
            cells = cellwise.open_run(self.work / str(side) / "run").cells
            sites = len(list((fields / "masks").glob("*_cells.tif")))
            self.items[side] = {"cells": len(cells), "fields": sites}

    def measure(self, case: Case, watch: Watch) -> None:
        """Do one case; `watch` stops it when its time is over."""
        if case.kind == "patches":
            self._patches(case, watch)
            return
        step = {**case.step, "as": MEASURED}
        if case.kind == "segment":
            step = dict(case.step)
            if case.name == "hpa_unet":
                step |= self._made_weights()
            self._pipeline(case.side, f"segment-{case.name}", [{"segment": step}], watch)
            return
        if case.kind == "train":
            step["epochs"] = max(1, round(self.scale.steps / -(-self.pool(case) // case.batch)))
            step["threads"] = self.scale.threads
        self._pipeline(case.side, "run", [*case.before, {case.kind: step}], watch)

    def pool(self, case: Case) -> int:
        """Items of an epoch: cells, or fields (bags are as many as fields)."""
        return self.items[case.side]["cells" if case.of_cells else "fields"]

    def images(self, case: Case) -> float:
        """Images in a unit of progress: of a batch, or the cells of a field that is scored."""
        if case.kind == "patches":
            return case.batch
        if case.kind == "train":
            pool = self.pool(case)
            return pool / -(-pool // case.batch) * case.bag
        return 1.0

    def _pipeline(self, side: int, out: str, steps: Steps, watch: Watch | None) -> None:
        # What is scored or segmented is watched in this process.
        alone = watch is not None and "train" not in steps[-1]
        home = self.work / str(side)
        first: Steps = [{"read": None}]
        if out == "run":
            first += [
                {"segment": "imported"},
                {"cells": {"size": self.scale.crop, "policy": "mask_others"}},
            ]
        recipe = home / f"{out}.yaml"
        recipe.write_text(yaml.safe_dump({"format": 1, "steps": [*first, *steps]}), "utf-8")
        request = make_request(
            home / "fields",
            home / out,
            labels=home / "fields" / "train.csv",
            recipe=str(recipe),
            masks=home / "fields" / "masks" if out == "run" else None,
            device=self.device,
            workers=1 if alone else self.scale.workers,
        )
        run_pipeline(request, watch)

    def _patches(self, case: Case, watch: Watch) -> None:
        from cellwise.app.train_segmenter.train import TrainRequest, train_segmenter

        request = TrainRequest(
            (self.work / str(case.side) / "world",),
            self.work / "small.safetensors",
            epochs=-(-self.scale.steps // 100),
            batch=case.batch,
            threads=self.scale.threads,
            device=self.device,
        )
        watch.step_started(MEASURED, total=0, unit="", why="")
        try:
            train_segmenter(
                request, lambda done, total, note: watch.step_advanced(done, total=total, note=note)
            )
        finally:
            watch.ended("")

    def _made_weights(self) -> dict[str, str]:
        import torch

        from cellwise.app.models.convert import convert
        from cellwise.parts.pixel_nets import pixel_nets

        made = {}
        for option, name in (("nuclei", "dpn_unet_nuclei"), ("cells", "dpn_unet_cell")):
            weights = self.work / f"{name}.safetensors"
            if not weights.is_file():
                state = pixel_nets.build("dpn_unet").state_dict()
                published = weights.with_suffix(".pth")
                torch.save(state, published, _use_new_zipfile_serialization=False)
                convert(published, weights, name)
            made[option] = str(weights)
        return made


def row_of(case: Case, watch: Watch, images: float, rates: dict[str, float], note: str) -> Row:
    """One line of the table, with what could not be measured as None."""
    work = None if watch.flops is None or watch.rate is None else watch.flops * watch.rate
    return {
        "kind": case.kind,
        "case": case.name,
        "field": case.side,
        "net": case.net,
        "precision": case.precision,
        "batch": case.batch if case.kind in ("train", "patches") else None,
        "per_s": None if watch.rate is None else watch.rate * images,
        "unit": "images" if case.kind in ("train", "patches") else "fields",
        "peak_gib": watch.peak / 2**30 if watch.peak else None,
        "tflops": None if work is None else work / 1e12,
        "of_matmul": None if work is None else work / rates[case.precision],
        "idle": None if watch.busy is None else max(0.0, 1 - watch.busy),
        "intervals": watch.intervals,
        "note": note,
    }


def shown(row: Row) -> str:
    """A line of the table."""

    def number(name: str, how: str, factor: float = 1.0) -> str:
        return "-" if row[name] is None else format(row[name] * factor, how)

    cells = [
        row["kind"],
        row["case"],
        f"{row['field']}",
        row["net"],
        row["precision"],
        number("batch", "d", 1),
        f"{number('per_s', ',.1f')} {row['unit']}/s",
        number("intervals", "d", 1),
        number("peak_gib", ".2f"),
        number("tflops", ",.3f"),
        number("of_matmul", ".1f", 100),
        number("idle", ".0f", 100),
        row["note"],
    ]
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "| step | case | field, px | network | precision | batch | speed | intervals | peak GPU GiB "
    "| TFLOP/s | % of matmul | idle % | note |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def one_case(bench: Bench, case: Case, seconds: float, rates: dict[str, float]) -> Row:
    """Measure a case; one that fails says why and stops no other."""
    note = ""
    watch = Watch("segment" if case.kind == "segment" else MEASURED, bench.device, seconds)
    try:
        bench.measure(case, watch)
    except (Interrupted, Stopped):
        note = "stopped"
    except FAILURES as error:
        note = f"{type(error).__name__}: {error}".partition("\n")[0][:150]
    return row_of(case, watch, bench.images(case), rates, note)


def main(words: Sequence[str] | None = None) -> int:
    """Measure all cases and print the table; 1 where one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--only", default="")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(words)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir=asked.work) as folder:
        rows, facts = measured(asked, Path(folder), start + 60 * asked.minutes)
    print(f"\n{facts['machine']}; {time.monotonic() - start:.0f} s in all")
    for name, rate in facts["matmul"].items():
        print(f"matrix product, {name}: {rate / 1e12:,.2f} TFLOP/s")
    print("\n".join([HEAD, *map(shown, rows)]), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n", "utf-8")
    return int(any(row["per_s"] is None for row in rows))


def measured(asked: argparse.Namespace, work: Path, limit: float) -> tuple[list[Row], Row]:
    """The rows, and facts of the machine; `limit` is when all has to be over."""
    # So that no case is the one that waits for them.
    import lightning.pytorch  # noqa: F401
    import timm  # noqa: F401
    import torch

    device = pick_device(asked.device)
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    rates = matmul_rates(device, side=8192 if device == "cuda" else 512)
    facts = {"machine": f"{name}, torch {version('torch')}", "device": device, "matmul": rates}
    scale, known = (QUICK, quick_cases()) if asked.quick else (full_scale(), full_cases())
    cases = [case for case in known if f"{case.kind} {case.name}".startswith(asked.only)]
    sides = {case.side: scale.sides[case.side] for case in cases}
    bench = Bench(work, device, replace(scale, sides=sides))
    bench.prepare()
    print(f"prepared: {bench.items}", flush=True)
    rows = []
    for number, case in enumerate(cases):
        left = limit - time.monotonic()
        if left <= 0:
            break
        rows.append(one_case(bench, case, left / (len(cases) - number), rates))
        print(f"{limit - time.monotonic():4.0f} s left {shown(rows[-1])}", flush=True)
    return rows, facts


if __name__ == "__main__":
    raise SystemExit(main())
