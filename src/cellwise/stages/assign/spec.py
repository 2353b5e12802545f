"""What the step `assign` declares."""

from typing import Literal

from pydantic import Field, model_validator

from cellwise.domain.nouns import ASSIGNMENT, FITTED_ASSIGNMENT, FOLDS, SCORES, SITES, TREATMENTS
from cellwise.domain.specs import Read, StepOptions, StepSpec
from cellwise.errors import BadOption


class Options(StepOptions):
    """How the logits of sites become one treatment for each well."""

    from_: str | list[str] = Field(alias="from")
    """Names of the score steps; several are members of an ensemble."""
    combine: Literal[
        "mean", "median", "rank_mean", "rank_median", "softmax_mean", "softmax_median"
    ] = "mean"
    """How members are made one: of their logits, of the ranks of classes, of probabilities."""
    members: dict[str, list[str]] = {}
    """Members of a cell type of its own, some of `from`, by the cell type's name."""
    design: Literal["off", "groups", "one_to_one"] = "off"
    """What answers may take from the design of the plates: nothing, that a plate holds one group of
    treatments, or also that it holds each treatment once. All three are made whatever is said here,
    and stand side by side; this says which of them is the `answer`."""
    group: Literal["order", "majority"] = "order"
    """How the group of a plate is found: the best order of groups within its experiment, or most
    votes on the plate by itself. A plate whose votes do not tell has none, and is answered
    freely."""
    one_to_one: Literal["optimal", "greedy"] = "optimal"
    """The choice with the largest sum, or from the surest pair down."""
    sum_of: Literal["logits", "probabilities"] = "logits"
    """What the choice adds up. Temperature and balancing change probabilities only."""
    temperature: float = 1.0
    """Logits are divided by it before they become probabilities."""
    balance: int = 0
    """Rounds in which rows and columns of a plate's probabilities are brought to equal sums."""
    pseudo_labels: float = 0.0
    """Share of the wells of each new plate whose surest answers are noted as labels to learn from,
    each treatment once on a plate. A step `train` learns from them: `pseudo_labels`."""
    agreed: bool = False
    """Whether pseudo-labels are only of wells that each member of `from` answers alike."""
    always_grouped: bool = False
    """Whether plates keep the group that fits best where their votes do not tell, too: for screens
    of which it is known that every plate is of a known group."""

    @model_validator(mode="after")
    def _check(self) -> "Options":
        if self.agreed and len(self.scores) < 2:
            raise BadOption("assign: agreed is of several members; name them under 'from'.")
        if not self.scores or not all(self.scores):
            raise BadOption(f"assign: from names score steps, not {self.from_!r}.")
        for cell_type, names in self.members.items():
            odd = [name for name in names if name not in self.scores]
            if odd or not names:
                raise BadOption(
                    f"assign: the members of {cell_type} are some of 'from', not {odd or names}."
                )
        if not self.temperature > 0:
            raise BadOption(f"assign: temperature is above 0, not {self.temperature}.")
        if self.balance < 0:
            raise BadOption(f"assign: balance is not negative, as {self.balance} is.")
        if not 0 <= self.pseudo_labels <= 1:
            raise BadOption(f"assign: pseudo_labels lies in 0..1, not {self.pseudo_labels}.")
        return self

    @property
    def scores(self) -> tuple[str, ...]:
        """The score steps, in order."""
        return (self.from_,) if isinstance(self.from_, str) else tuple(self.from_)


SPEC = StepSpec(
    version=2,
    grain="table",
    options=Options,
    reads=(
        Read(SITES),
        Read(FOLDS, optional=True),
        Read(FITTED_ASSIGNMENT, optional=True, under="fitted"),
        Read(SCORES, by=("from",), many=True),
    ),
    late=("agreed", "always_grouped"),
    writes=(TREATMENTS, ASSIGNMENT),
)
