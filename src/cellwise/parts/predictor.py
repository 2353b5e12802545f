"""A loaded model as scorers see it, and what they share."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cellwise.contracts.learner import Fitted
from cellwise.contracts.network import Asked, Output
from cellwise.contracts.scorer import Views
from cellwise.errors import BadOption
from cellwise.parts.normalise import Normalisation
from cellwise.parts.precision import calculating
from cellwise.parts.views import FLIPS, VIEWS

# Nearer to 0 or 1 no learner's probability is told from it.
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network in evaluation mode with its normalisation: pixels in 0..1 to its output.

    `precision` is what the network calculates with, one that `parts.precision.resolve` gave.
    """

    net: nn.Module
    normalisation: Normalisation
    device: str
    precision: str = "fp32"

    def __call__(self, pixels: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        """Answer for `[item, channel, y, x]`; results lie in ordinary memory, single precision."""
        ready = self._ready(pixels)
        with calculating(self.precision, self.device):
            found: Output = self.net(ready, asked)
        return found.each(lambda part: part.float().cpu())

    def extract_features(self, pixels: Tensor) -> Tensor:
        """Features of `[item, channel, y, x]`, where the network lies."""
        ready = self._ready(pixels)
        with calculating(self.precision, self.device):
            found: Tensor = self.net.extract_features(ready)  # type: ignore[operator]
        return found

    def answer(self, features: Tensor) -> Tensor:
        """Logits `[item, class]` of features, in ordinary memory."""
        with calculating(self.precision, self.device):
            found: Output = self.net.answer(features)  # type: ignore[operator]
        return found.logits.float().cpu()

    def embed(self, features: Tensor) -> Tensor:
        """The embedding `[item, number]` of features, in ordinary memory."""
        with calculating(self.precision, self.device):
            found: Output = self.net.answer(features, Asked.EMBEDDING)  # type: ignore[operator]
        return found.embedding.float().cpu()

    def _ready(self, pixels: Tensor) -> Tensor:
        ready = self.normalisation(pixels.to(self.device))
        return ready.contiguous(memory_format=torch.channels_last) if ready.ndim == 4 else ready


@dataclass(frozen=True, slots=True)
class LearnedModel:
    """What a learner learned: vectors to the logits of its probabilities."""

    fitted: Fitted

    def __call__(self, pixels: Tensor, asked: Asked = Asked.LOGITS) -> Output:
        """Logits `[item, class]` of vectors `[item, number]`; nothing else can be asked."""
        if asked != Asked.LOGITS:
            raise BadOption("A learner of vectors has no embedding and no class map.")
        found = torch.from_numpy(self.fitted.predict(pixels.numpy())).double()
        return Output(found.clamp(_LEAST, 1 - _LEAST).logit().float())

    def extract_features(self, pixels: Tensor) -> Tensor:
        """Refused: there are none."""
        raise BadOption("A learner of vectors has no features.")

    def answer(self, features: Tensor) -> Tensor:
        """Refused: there are no features."""
        raise BadOption("A learner of vectors has no features.")


@dataclass(frozen=True, slots=True)
class Scores:
    """Logits and the spread of the probability, both `[cell, class]`."""

    logits: Tensor
    spread: Tensor


def combine(views: Sequence[Views]) -> Scores:
    """Mean over all models and views of the logits, and the deviation of their probabilities."""
    every = torch.cat(list(views)).to(torch.float64)
    return Scores(every.mean(0).float(), every.sigmoid().std(0, correction=0).float())


def views_of(views: str, batch: int) -> tuple[int, ...]:
    """The views that a word stands for.

    Raises:
        BadOption: Another word, or a batch of no crops.
    """
    known = {"none": VIEWS[:1], "flips": FLIPS, "dihedral": VIEWS}
    if views not in known:
        raise BadOption(f"score: views is one of {', '.join(known)}, not {views!r}.")
    if batch < 1:
        raise BadOption(f"score: batch is at least 1, not {batch}.")
    return known[views]
