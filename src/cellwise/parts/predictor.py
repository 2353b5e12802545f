"""A loaded model as scorers see it, and what they share."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
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
# The logit of a class that no model has learned: none is smaller, and means of it stay finite.
NEVER = -1e4


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A network in evaluation mode with its normalisation: pixels in 0..1 to its output.

    `precision` is what the network calculates with, one that `parts.precision.resolve` gave.
    `unseen` are classes that it has never seen an example of: never its answer.
    """

    net: nn.Module
    normalisation: Normalisation
    device: str
    precision: str = "fp32"
    unseen: tuple[int, ...] = ()

    def __call__(
        self, pixels: Tensor, asked: Asked = Asked.LOGITS, covariates: Tensor | None = None
    ) -> Output:
        """Answer for `[item, channel, y, x]`; results lie in ordinary memory, single precision."""
        ready = self._ready(pixels)
        told: tuple[Tensor, ...] = ()
        if covariates is not None:
            told = (covariates.to(self.device).expand(len(pixels), -1),)
        with calculating(self.precision, self.device):
            found: Output = self.net(ready, asked, *told)
        found = found.each(lambda part: part.float().cpu())
        if self.unseen and Asked.LOGITS in asked:
            found.logits[:, list(self.unseen)] = NEVER
        return found

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
        logits = found.logits.float().cpu()
        if self.unseen:
            logits[:, list(self.unseen)] = NEVER
        return logits

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

    def __call__(
        self, pixels: Tensor, asked: Asked = Asked.LOGITS, covariates: Tensor | None = None
    ) -> Output:
        """Logits `[item, class]` of vectors `[item, number]`; nothing else can be asked."""
        if asked != Asked.LOGITS or covariates is not None:
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


def combine(views: Sequence[Views], how: str = "logits") -> Scores:
    """Mean over all models and views, and the deviation of their probabilities.

    Args:
        views: `[view, cell, class]` logits of each model.
        how: What the mean is of: `logits`, or `probabilities`, given back as its logit.
    """
    every = torch.cat(list(views)).to(torch.float64)
    chances = every.sigmoid()
    if how == "probabilities":
        mean = chances.mean(0).clamp(_LEAST, 1 - _LEAST).logit()
        # What no model has learned stays that.
        mean = torch.where((every <= NEVER).all(0), NEVER, mean)
    else:
        mean = every.mean(0)
    return Scores(mean.float(), chances.std(0, correction=0).float())


def views_of(views: str | Sequence[int], batch: int, seed: int = 0) -> tuple[int, ...]:
    """The views that a word, such as `3 of 8`, or a list of their numbers stands for.

    Args:
        views: `none`, `flips`, `dihedral`, `K of 8` (K of them, drawn by `seed` alone, so that they
            are the same for all cells), or numbers as in `parts.views`.
        batch: Images at a time.
        seed: For `K of 8`.

    Raises:
        BadOption: Another word or number, or a batch of no crops.
    """
    if batch < 1:
        raise BadOption(f"score: batch is at least 1, not {batch}.")
    if seed < 0:
        raise BadOption(f"score: seed is not negative, as {seed} is.")
    known = {"none": VIEWS[:1], "flips": FLIPS, "dihedral": VIEWS}
    if not isinstance(views, str):
        if not views or len(set(views)) < len(views) or not set(views) <= set(VIEWS):
            raise BadOption(f"score: views are numbers 0 to 7, each once, not {list(views)}.")
        return tuple(views)
    if views in known:
        return known[views]
    drawn = re.fullmatch(r"([1-8]) of 8", views)
    if drawn is None:
        raise BadOption(
            f"score: views is one of {', '.join(known)}, 'K of 8' or a list of numbers, not "
            f"{views!r}."
        )
    chosen = np.random.default_rng(seed).choice(len(VIEWS), int(drawn[1]), replace=False)
    return tuple(sorted(int(view) for view in chosen))
