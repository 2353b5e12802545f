"""The models of a train step, loaded, and which of them may score a site."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from cellwise.domain.channels import Channel
from cellwise.errors import BadOption, FormatError, PreflightError
from cellwise.parts.learners import learners
from cellwise.parts.memory import keep_freed_memory
from cellwise.parts.nets import nets, without_beginning
from cellwise.parts.normalise import Normalisation
from cellwise.parts.predictor import LearnedModel, LoadedModel
from cellwise.parts.threads import threads_of
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import CARD_FILE, ModelCard, channel_positions, read_model


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model."""

    card: ModelCard
    predictor: LoadedModel | LearnedModel

    @property
    def network(self) -> LoadedModel:
        """Its network.

        Raises:
            BadOption: A learner of vectors, which has none.
        """
        if isinstance(self.predictor, LearnedModel):
            raise BadOption(f"Model {self.card.step!r} is a learner of vectors and has no network.")
        return self.predictor

    def channels_in(self, available: Sequence[Channel]) -> list[int]:
        """Where the channels it reads lie among the available ones."""
        return channel_positions(self.card, available)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who scores a site: the models, the fold they left out, and what the table calls them."""

    models: tuple[Model, ...]
    fold: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Panel:
    """All models of one train step."""

    name: str
    models: tuple[Model, ...]

    @property
    def card(self) -> ModelCard:
        """The card of the first; classes, channels and pixels are the same on all."""
        return self.models[0].card

    def lacks(self, fold: int | None) -> bool:
        """Whether models of some folds only were wanted, and none that left this one out."""
        wanted = self.card.training.get("options", {}).get("folds")
        folds = [model.card.fold for model in self.models]
        return bool(wanted) and fold is not None and folds != [None] and fold not in folds

    @property
    def column(self) -> str:
        """The metadata column by which sites have models of their own; empty for none."""
        return next((m.card.part["column"] for m in self.models if m.card.part), "")

    def choose(self, fold: int | None, value: str | None = None) -> Chosen:
        """The models for a site of this fold: the one that left it out, else the mean of all.

        Args:
            fold: Of the site; None for one of none.
            value: Of the site in `column`. A value without a model of its own is looked at by all.

        Raises:
            FormatError: The fold's model is not there.
        """
        folds = {model.card.fold for model in self.models}
        if fold is None or folds == {None}:
            what = "all" if folds == {None} else "mean"
            return self._of_value(self.models, None, what, value)
        if fold not in folds:
            raise FormatError(
                f"Model {self.name!r} has no part that left fold {fold} out. Run its train step."
            )
        fitting = tuple(model for model in self.models if model.card.fold == fold)
        return self._of_value(fitting, fold, f"fold{fold}", value)

    def _of_value(
        self, models: tuple[Model, ...], fold: int | None, what: str, value: str | None
    ) -> Chosen:
        own = tuple(model for model in models if model.card.part.get("value") == value)
        if self.column and own:
            return Chosen(own, fold, f"{self.name}/{what}-{value}")
        return Chosen(models, fold, f"{self.name}/{what}")


def load_panel(run: RunFolder, name: str, device: str, precision: str = "fp32") -> Panel:
    """Load every model of a train step.

    Raises:
        PreflightError: There is none, or they do not belong together.
        FormatError: A bundle is damaged.
    """
    home = run.model(name, None).parent
    folders = sorted(path.parent for path in home.glob(f"*/{CARD_FILE}"))
    if not folders:
        raise PreflightError(f"There is no model {name!r} in {run.path}. Run its train step first.")
    models = []
    for folder in folders:
        card, weights = read_model(folder)
        if card.learner:
            fitted = learners.build(card.learner).restore(weights)
            models.append(Model(card, LearnedModel(fitted)))
            continue
        told = {"covariates": len(card.covariate["values"])} if card.covariate else {}
        net = nets.build(without_beginning(card.net))(card.inputs, len(card.classes), **told)
        net.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
        net = net.eval().to(device).to(memory_format=torch.channels_last)
        facts = card.normalisation
        normalisation = Normalisation(facts["mode"], tuple(facts["mean"]), tuple(facts["std"]))
        unseen = tuple(map(card.classes.index, card.training.get("never_seen", ())))
        models.append(Model(card, LoadedModel(net, normalisation, device, precision, unseen)))
    first = models[0].card
    for model in models[1:]:
        same = ("classes", "channels", "unit", "crop", "learner", "covariate")
        odd = [word for word in same if getattr(model.card, word) != getattr(first, word)]
        if odd:
            raise PreflightError(f"The models of {name!r} differ in {odd[0]}: train them again.")
    return Panel(name, tuple(models))


@contextmanager
def steady(threads: int) -> Iterator[None]:
    """This many threads and no gradients, then as before."""
    keep_freed_memory()
    with threads_of(threads), torch.inference_mode():
        yield
