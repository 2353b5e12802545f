"""The cases of `benchmarks/gpu.py`: which step, at which size, with which network."""

import os
from dataclasses import dataclass, field
from typing import Any

# Names of the steps that are measured, and of those that only lead there.
MEASURED, BEFORE = "measured", "before"


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the benchmark is.

    Args:
        sides: Fields in pixels, each with how many different ones and how many names for them.
        crop: Side of crops of cells.
        steps: Steps of a training, at most.
        threads: Of the processor.
        workers: Processes that draw and cut.
    """

    sides: dict[int, tuple[int, int]]
    crop: int
    steps: int
    threads: int
    workers: int


def full_scale() -> Scale:
    """For a card."""
    cores = min(os.cpu_count() or 1, 16)
    return Scale({512: (32, 192), 1024: (16, 96)}, 128, 200, max(1, cores // 2), cores)


QUICK = Scale({128: (4, 4)}, 32, 6, 1, 1)


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table.

    Args:
        kind: `train`, `score`, `segment`, or `patches` for the training of a segmenter.
        name: What is shown.
        side: Of the fields.
        step: Options of the measured step.
        before: Steps between the cells and the measured one.
        net, precision, batch: As shown.
        bag: Images per item of a batch.
    """

    kind: str
    name: str
    side: int
    step: dict[str, Any] = field(default_factory=dict)
    before: tuple[dict[str, Any], ...] = ()
    net: str = "tiny"
    precision: str = "fp32"
    batch: int = 1
    bag: int = 1

    @property
    def of_cells(self) -> bool:
        """Whether an item of the training is a cell."""
        return "labels" in self.step


def train(task: Any, net: Any, batch: int, precision: str, **more: Any) -> dict[str, Any]:
    """Options of a train step; the number of epochs follows from the items."""
    return {"task": task, "net": net, "batch": batch, "precision": precision, **more}


def backbone(model: str) -> dict[str, Any]:
    """A network with weights by chance."""
    return {"name": "backbone", "model": model, "pretrained": False}


LABELS = {"label": {"as": "inherited", "by": "inherit"}}


def train_case(
    task: str, side: int, net: str, batch: int, precision: str, *, size: int | None = None
) -> Case:
    """A training: of crops, or of fields at `size`."""
    spec: Any = {"name": task, "size": size} if size else task
    made: Any = net if net == "tiny" else backbone(net)
    more = {} if size or task == "bag" else {"labels": "inherited"}
    step = train(spec, made, batch, precision, **more)
    before = (LABELS,) if more else ()
    bag = 16 if task == "bag" else 1
    what = f"{task}, fields" if size else f"{task}, crops"
    return Case("train", what, side, step, before, net, precision, batch, bag)


def score_case(
    by: Any, side: int, net: str, precision: str, *, size: int | None = None, batch: int = 16
) -> Case:
    """A scorer with a network that learned for one epoch."""
    first = train_case("image" if size else "cell", side, net, batch, precision, size=size)
    learned = {"train": {**first.step, "as": BEFORE, "epochs": 1}}
    step = {"model": BEFORE, "by": by, "precision": precision}
    return Case("score", by, side, step, (*first.before, learned), net, precision)


def full_cases() -> list[Case]:
    """For a card: each task, two precisions, networks of several sizes."""
    r18, r50, lite = "resnet18", "resnet50", "efficientnet_lite0"
    return [
        train_case("cell", 512, "tiny", 1024, "bf16"),
        train_case("cell", 512, r18, 512, "bf16"),
        train_case("cell", 512, r18, 512, "fp32"),
        train_case("cell", 512, r50, 512, "bf16"),
        train_case("bag", 512, lite, 32, "bf16"),
        train_case("consistency", 512, r18, 256, "bf16"),
        train_case("image", 512, "tiny", 64, "bf16", size=512),
        train_case("image", 512, r18, 64, "bf16", size=512),
        train_case("image", 512, r18, 64, "fp32", size=512),
        train_case("image", 512, r50, 64, "bf16", size=512),
        train_case("puzzle", 512, r18, 32, "bf16", size=512),
        Case("patches", "segmenter patches", 512, net="small_unet", batch=32),
        score_case("cell_net", 512, r18, "bf16", batch=256),
        score_case("field_net", 512, r18, "bf16", size=512),
        score_case("cam", 512, r18, "bf16", size=512),
        score_case("shared_trunk", 512, r18, "bf16", size=512),
        score_case("masked_view", 512, r18, "bf16", size=512),
        score_case("masked_view", 512, r18, "fp32", size=512),
        Case("segment", "small_unet", 512, {"name": "small_unet"}, net="small_unet"),
        Case("segment", "hpa_unet", 512, {"name": "hpa_unet", "pixel_size": 0.32}, net="2 DPN-92"),
        train_case("image", 1024, r50, 32, "bf16", size=1024),
        train_case("image", 1024, lite, 32, "bf16", size=1024),
        train_case("puzzle", 1024, r18, 16, "bf16", size=1024),
        score_case("cam", 1024, r50, "bf16", size=1024),
        score_case("masked_view", 1024, r50, "bf16", size=1024),
        Case("segment", "small_unet", 1024, {"name": "small_unet"}, net="small_unet"),
        Case("segment", "hpa_unet", 1024, {"name": "hpa_unet", "pixel_size": 0.16}, net="2 DPN-92"),
    ]


def quick_cases() -> list[Case]:
    """For a processor: each kind once."""
    side = next(iter(QUICK.sides))
    return [
        train_case("cell", side, "tiny", 4, "fp32"),
        train_case("bag", side, "tiny", 1, "fp32"),
        train_case("consistency", side, "tiny", 4, "fp32"),
        train_case("image", side, "tiny", 2, "fp32", size=64),
        train_case("puzzle", side, "tiny", 2, "fp32", size=64),
        Case("patches", "segmenter patches", side, net="small_unet", batch=2),
        *(score_case(by, side, "tiny", "fp32", size=64, batch=2)
          for by in ("field_net", "cam", "shared_trunk", "masked_view")),
        score_case("cell_net", side, "tiny", "fp32", batch=4),
        Case("segment", "small_unet", side, {"name": "small_unet"}, net="small_unet"),
    ]  # fmt: skip
