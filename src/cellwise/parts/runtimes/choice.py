"""Which runtime answers fastest on a run's own images, of those that answer alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cellwise.contracts.network import Asked, Output
from cellwise.parts.predictor import LoadedModel

# No probability may differ by more from that of single precision.
TOLERANCE = 0.02
# Images of one size that are tried, and how often.
_IMAGES, _TIMES = 8, 3

Call = tuple[Tensor, Asked, Tensor | None]
Make = Callable[[str], LoadedModel]


class Recorder:
    """A model that remembers what a scorer shows it and answers by a few images only.

    Of each size of images and kind of answer the first eight are asked; all others are given the
    answer of the first of these. So what it says is worth nothing but its shape.

    Args:
        model: The model.
        images: How many images of a size are asked.
    """

    def __init__(self, model: LoadedModel, images: int = _IMAGES) -> None:
        self._model, self._images = model, images
        self._known: dict[Any, Output] = {}
        self.calls: list[Call] = []
        self.shown = 0
        self.halves = False

    def __call__(
        self, pixels: Tensor, asked: Asked = Asked.LOGITS, covariates: Tensor | None = None
    ) -> Output:
        """As of any model."""
        key = asked, tuple(pixels.shape[1:])
        self.shown += len(pixels)
        if key not in self._known:
            few = pixels[: self._images]
            self.calls.append((few, asked, covariates))
            self._known[key] = self._model(few, asked, covariates)
        count = len(pixels)
        return self._known[key].each(lambda part: part[:1].expand(count, *part.shape[1:]).clone())

    def extract_features(self, pixels: Tensor) -> Tensor:
        """As of any model; noted, as not every runtime has it."""
        self.halves = True
        return self._model.extract_features(pixels)

    def answer(self, features: Tensor) -> Tensor:
        """As of any model."""
        return self._model.answer(features)


@dataclass(frozen=True, slots=True)
class Tried:
    """A runtime that was tried.

    Args:
        runtime: Its name.
        setup: Seconds until the first answer.
        pace: Seconds for an image.
        difference: The largest difference of a probability from that of single precision.
        agrees: Whether that is within the tolerance.
        total: Seconds that all images of the run would take, setup included.
    """

    runtime: str
    setup: float
    pace: float
    difference: float
    agrees: bool
    total: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The runtime that was chosen, and all that were tried."""

    runtime: str
    tried: tuple[Tried, ...]
    images: int


def choose(
    make: Make,
    names: Sequence[str],
    calls: Sequence[Call],
    *,
    images: int,
    models: int = 1,
    clock: Callable[[], float] = time.process_time,
) -> Choice:
    """The runtime with the least total time of those that agree with the first.

    Args:
        make: A runtime's name to the model by it, made anew.
        names: Runtimes, that of single precision first.
        calls: What a scorer shows.
        images: Images that the whole run will show to all models together.
        models: How many models have to be made ready.
        clock: Seconds; processor time, so that other programs do not count.
    """
    seen = sum(len(pixels) for pixels, _, _ in calls)
    made, setups, answers = {}, {}, {}
    for name in names:
        begun = clock()
        made[name] = make(name)
        answers[name] = [_chances(made[name](*call)) for call in calls]
        setups[name] = clock() - begun
    paces = dict.fromkeys(names, float("inf"))
    for _ in range(_TIMES):
        # In turn, so that what slows the machine down for a while slows all.
        for name in names:
            begun = clock()
            for call in calls:
                made[name](*call)
            paces[name] = min(paces[name], (clock() - begun) / max(seen, 1))
    tried = []
    for name in names:
        difference = max(
            float((own - plain).abs().max())
            for own, plain in zip(answers[name], answers[names[0]], strict=True)
        )
        total = setups[name] * models + paces[name] * images
        agrees = difference <= TOLERANCE
        tried.append(Tried(name, setups[name], paces[name], difference, agrees, total))
    best = min((one for one in tried if one.agrees), key=lambda one: one.total)
    return Choice(best.runtime, tuple(tried), images)


def _chances(found: Output) -> Tensor:
    """All that scorers make of an answer, as probabilities in one row."""
    parts: list[Tensor] = []

    def keep(part: Tensor) -> Tensor:
        parts.append(part.double().sigmoid().flatten())
        return part

    found.each(keep)
    row = torch.cat(parts)
    # A number that is none differs from all.
    return torch.where(row.isfinite(), row, 2.0)
