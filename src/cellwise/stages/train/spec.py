"""What the step `train` declares."""

# longer than 300 lines because each option is explained where it is declared

from typing import Any, Literal

from pydantic import Field, model_validator

from cellwise.domain.nouns import (
    CELLS,
    CURATION,
    EMBEDDINGS,
    FIELD_LABELS,
    IMAGES,
    LABELLED_CELLS,
    LABELLED_EMBEDDINGS,
    LABELLED_FOLDS,
    LABELLED_SITES,
    LABELS,
    MODELS,
    SITES,
    STATISTICS,
    TREATMENTS,
)
from cellwise.domain.precisions import check_precision
from cellwise.domain.specs import Content, Read, Renamed, StepOptions, StepSpec
from cellwise.errors import BadOption
from cellwise.registry import Registry, split_spec
from cellwise.stages.train._rules import judging_rules, sample_rules

Spec = str | dict[str, Any]

SHELVES = {
    "task": "cellwise.parts.tasks",
    "net": "cellwise.parts.nets",
    "loss": "cellwise.parts.losses",
    "augment": "cellwise.parts.augment",
    "optimiser": "cellwise.parts.optimisers",
    "schedule": "cellwise.parts.schedules",
    "learner": "cellwise.parts.learners",
}
KEEPS = ("best_cost", "best_ap", "last")
NORMALISATIONS = ("standard", "crop_mean", "filled", "self")
# What the step `statistics` has measured of whole sites is taken away.
LEVELS = ("image", "plate", "experiment", "controls")
CONSTANTS = ("hpa_challenge", "hpa_public", "hpa_2018", "eight_bit")
_OF_LEARNERS = ("task", "labels", "embeddings", "learner", "threads", "folds", "unlabelled")


class Options(StepOptions):
    """What is learned, by which network, and how."""

    task: Spec = "cell"
    """What one training step does with a batch."""
    labels: str = ""
    """Name of the label step whose labels of cells are learned; fields bring their own."""
    unlabelled: bool = False
    """Whether cells of fields without a label that `labels` names teach too, as a label step by
    `progressive` gives them. Other label steps give none."""
    pseudo_labels: str = ""
    """Name of an assign step whose pseudo-labels of new wells teach too, as any label does. Of
    tasks that learn whole sites. A model that leaves a fold out learns what models without it
    answered, and nothing else."""
    net: Spec = "tiny"
    """The network."""
    loss: Spec = "bce"
    """The loss."""
    augment: list[Spec] = ["dihedral", "affine"]
    """Augmentations, in order."""
    channels: str | list[str] = "all"
    """`all`, or names or roles of the channels to learn from, in order."""
    without: list[str] = []
    """Channels to leave out, as a negative control does with `protein`."""
    normalise: str = "standard"
    """`standard`, `crop_mean` where brightness must not be the answer, or, for networks of vectors
    that may lack numbers, `filled`: a missing number counts as the mean of the training set. `self`
    takes its own mean and deviation from each image or tile; `image`, `plate`, `experiment` and
    `controls` (wells of the plate) those that the step `statistics` found."""
    sources: str = ""
    """A metadata column such as `Metadata_Source` whose values name where fields come from: each
    channel of each source is brought to one brightness. Empty takes all as they are."""
    constants: str | dict[str, str] = ""
    """Published constants in place of statistics of the training set: `hpa_challenge`,
    `hpa_public`, `hpa_2018` or `eight_bit`, see `parts.published_levels`; or, with `sources`, one
    of these for each value of that column. Where there is no such column the first is for all."""
    balance: str = "even"
    """`even` gives present and absent labels of a class the same total weight, `none` leaves them
    as they are."""
    epochs: int = 10
    """How often the training set is gone through, at most."""
    batch: int = 32
    """Cells, bags or fields in one step."""
    learning_rate: float = 0.003
    """The rate that the schedule takes shares of."""
    weight_decay: float = 0.01
    """Pull of weights towards 0."""
    optimiser: Spec = "adamw"
    """What moves the weights."""
    schedule: Spec = "one_cycle"
    """How the rate changes over the training."""
    accumulate: int = 1
    """Batches whose gradients are averaged before the weights move."""
    average: float = 0.0
    """In 0..1; above 0 a running average of the weights, this much of it kept at each step, is
    judged and kept in place of the weights themselves."""
    keep: str = "best_cost"
    """Which epoch's weights are kept where groups are set aside to judge: `best_loss`, `best_ap`
    (macro average precision against their labels) or `last`."""
    not_finite: Literal["stop", "skip"] = "stop"
    """`stop` at a loss that is no number, or `skip` the batch; more than a tenth of an epoch's
    batches stop it all the same, and what was skipped stands in the model's card."""
    clip: float = 1.0
    """Longest gradient; 0 for no bound."""
    validate_: float = Field(default=0.0, alias="validate")
    """Share in 0..1 of the training fields, in whole groups, that is set aside to judge each epoch,
    see `keep`. 0 learns from all of them and keeps the last epoch. The fold left out is never
    looked at."""
    patience: int = 0
    """Stop after so many epochs without improvement of the set-aside groups, or, without them, of
    the training loss; 0 never stops early."""
    precision: str = "fp32"
    """`fp32`, `bf16`, `fp16` for a GPU, or `auto`: the fastest that the machine has units for, so
    that the weights depend on the machine; the model's card names it."""
    threads: int = 2
    """Processor threads; part of the result: sums in another order round differently. A
    new run takes fewer by itself where the machine is busy, and keeps to that."""
    start: str = ""
    """Name of an earlier train step whose weights (of the same fold) are the beginning."""
    classifier: Literal["", "hpa_2018"] = ""
    """`hpa_2018` begins the head of the network too with the file under `net.pretrained`, a model
    of the winners of that year's HPA challenge: rows of its 28 classes by name."""
    embeddings: str | list[str] = ""
    """Name of the embed step whose vectors the task `vectors` learns from; several stand side by
    side, and to `kernel_ridge` each counts as much as any other."""
    learner: Spec = ""
    """What learns from the vectors at once, without epochs, in place of a network. It takes cells
    that lack numbers; options of networks (`net`, `loss`, `epochs`...) stay unset."""
    controls: Literal["", "left_out"] = ""
    """`left_out` for wells known to be controls; empty learns them as classes of their own."""
    per: str = ""
    """A metadata column such as `Metadata_CellType`: a model of its own for each value, from the
    fields that have it. With `start` it begins with the epoch that was best for that value, where
    that step kept it (`keep_parts`)."""
    covariate: str = ""
    """A metadata column such as `Metadata_CellType` that the network is told beside the pixels: its
    values stand, one for each, beside the features that the head sees. Of the task `tile`."""
    validate_on: str | list[str] = []
    """Experiments, by name, whose wells judge each epoch, in place of a share; `next_fold` for
    those of the fold after the one left out. No figure is reported of them."""
    judge_weights: dict[str, float] = {}
    """What each cell type weighs where epochs are judged; as many as its wells where not said."""
    keep_parts: bool = False
    """Whether the weights of the epoch that was best for each cell type are kept as well."""
    patient_above: float = 0.0
    """While the training loss is at least this, patience is doubled; 0 for never."""
    average_from: int = 0
    """Epochs after which weights are averaged at the end of each (SWA) and the mean is kept, its
    batch statistics taken anew; 0 for never."""
    cache: Literal["", "uint8", "uint16"] = ""
    """Tasks that learn whole fields decode each once. Empty keeps them for this step alone; `uint8`
    or `uint16` keeps them, so coarsely, for all steps of this size, until `cellwise clean`."""

    repeat: dict[str, int] = {}
    """Classes and how often an item that is labelled so comes in each epoch; the most of its
    classes counts. A class of the class list of which this run has nothing is passed over."""
    repeat_above: float = 0.0
    """The label in 0..1 above which an item counts for `repeat`; of soft labels say 0.9 or so."""
    only: list[str] = []
    """The classes that are taught; empty for all. Of the others the model says nothing, and a
    decision takes them from its other score steps."""
    folds: list[int] = []
    """The folds, from 0, for which a model that leaves it out is trained; empty for all. A labelled
    field of another fold gets no score of this step, a new field the mean of these models."""

    draw: int = 0
    """Another number draws first weights, order and augmentations anew, all else as it is: members
    of an ensemble that differ in chance alone. 0 for the seed of the run."""

    @model_validator(mode="after")
    def _check(self) -> "Options":
        for option, package in SHELVES.items():
            specs = self.augment if option == "augment" else [getattr(self, option)]
            for spec in filter(None, specs):
                Registry(option, package).check(spec)
        check_precision("train", self.precision)
        if self.learner:
            self._check_learner()
        else:
            self._check_vectors()
        for name in self._sets:
            if name not in CONSTANTS:
                raise BadOption(f"train: constants are {', '.join(CONSTANTS)}, not {name!r}.")
        rules = (*self._rules(), *judging_rules(self), *sample_rules(self))
        broken = [text for holds, text in rules if not holds]
        if broken:
            raise BadOption(f"train: {broken[0]}.")
        return self

    @property
    def _sets(self) -> tuple[str, ...]:
        if isinstance(self.constants, dict):
            return tuple(self.constants.values())
        return (self.constants,) if self.constants else ()

    def _check_vectors(self) -> None:
        """Refuse a network of vectors for pixels, and the other way round."""
        task, net = (
            "vectors" in Registry(kind, SHELVES[kind]).page(split_spec(spec)[0]).needs
            for kind, spec in (("task", self.task), ("net", self.net))
        )
        if task != net:
            raise BadOption(
                "train: the nets linear and perceptron go with the task vectors, other nets with "
                f"tasks of pixels; task {self.task!r} has net {self.net!r}."
            )
        if task and not self.embeddings:
            raise BadOption("train: the task vectors needs 'embeddings: <embed step>'.")

    @property
    def levels(self) -> str:
        """Whose statistics are taken away from a site's brightness; empty for none."""
        return self.normalise if self.normalise in LEVELS else ""

    @property
    def mode(self) -> str:
        """What is done to pixels after that, see `parts.normalise`."""
        return "standard" if self.levels else self.normalise

    @property
    def looks_up_sites(self) -> bool:
        """Whether it depends on what is known of sites beside their labels."""
        left_out = self.controls == "left_out"
        told = (self.per, self.covariate, self.validate_on, self.pseudo_labels)
        named = (self.levels, left_out, *told)
        orders = {"alike", "balanced", "tile"}
        task, options = split_spec(self.task)
        return any(named) or bool(orders & {task, split_spec(options.get("order", "images"))[0]})

    def _check_learner(self) -> None:
        """Refuse what a learner would pass over in silence."""
        if self.task != "vectors" or not self.embeddings or not self.labels:
            raise BadOption(
                "train: a learner goes with 'task: vectors', 'embeddings: <embed step>' and "
                "'labels: <label step>'."
            )
        fields = type(self).model_fields
        odd = [
            field.alias or name
            for name, field in fields.items()
            if name not in _OF_LEARNERS
            and getattr(self, name) != field.default
            # Those that a recipe has by itself are of pixels.
            and (name, getattr(self, name)) != ("augment", [])
        ]
        if odd:
            raise BadOption(
                f"train: {odd[0]} is an option of networks and says nothing to the learner "
                f"{split_spec(self.learner)[0]!r}; leave it out, or take a recipe with networks."
            )

    def _rules(self) -> list[tuple[bool, str]]:
        return [
            (
                self.normalise in (*NORMALISATIONS, *LEVELS),
                f"normalise is one of {', '.join((*NORMALISATIONS, *LEVELS))}, "
                f"not {self.normalise!r}",
            ),
            (
                self.normalise != "filled" or split_spec(self.task)[0] == "vectors",
                "normalise: filled is of vectors; pixels lack no number",
            ),
            (
                not self.levels or split_spec(self.task)[0] in ("tile", "image"),
                f"normalise: {self.normalise} is of whole sites; take the task tile or image",
            ),
            (
                not self.sources or split_spec(self.task)[0] != "vectors",
                "sources are of pixels; vectors have no brightness",
            ),
            (
                not self.constants or (self.normalise == "standard" and self.task != "vectors"),
                "constants are of pixels and go with normalise: standard",
            ),
            (
                not isinstance(self.constants, dict) or bool(self.sources and self.constants),
                "constants by source need 'sources: <column>', and one source at least",
            ),
            (
                not self.classifier
                or (isinstance(self.net, dict) and isinstance(self.net.get("pretrained"), str)),
                "classifier takes the head of a file: name it, net.pretrained=FILE",
            ),
            (self.balance in ("even", "none"), "class_weights is 'even' or 'none'"),
            (not self.unlabelled or bool(self.labels), "unlabelled goes with 'labels: <step>'"),
            (self.keep in KEEPS, "keep is one of best_loss, best_ap, last"),
            (self.accumulate >= 1, "accumulate is at least 1"),
            (0 <= self.average < 1, "average lies in 0..1, 1 excluded"),
            (self.epochs >= 1, "epochs is at least 1"),
            (self.batch >= 1, "batch is at least 1"),
            (self.threads >= 1, "threads is at least 1"),
            (
                all(times >= 1 for times in self.repeat.values()) and 0 <= self.repeat_above < 1,
                "repeat is at least 1 for each class, repeat_above lies in 0..1",
            ),
            (
                not self.folds
                or (min(self.folds) >= 0 and len(set(self.folds)) == len(self.folds)),
                "folds are numbers from 0, each once",
            ),
            (self.learning_rate > 0, "learning_rate is above 0"),
            (self.weight_decay >= 0, "weight_decay is not negative"),
            (self.clip >= 0, "clip is not negative"),
            (self.patience >= 0, "patience is not negative"),
            (self.draw >= 0, "draw is not negative"),
            (0 <= self.validate_ < 1, "validate lies in 0..1, 1 excluded"),
            (
                self.channels == "all" or isinstance(self.channels, list),
                "channels is 'all' or a list of names",
            ),
        ]


SPEC = StepSpec(
    version=1,
    grain="fold",
    options=Options,
    reads=(
        Read(FIELD_LABELS),
        Read(LABELLED_CELLS, optional=True),
        Read(LABELS, by=("labels",)),
        Read(LABELLED_FOLDS, optional=True),
        Read(MODELS, by=("start",)),
        Read(LABELLED_EMBEDDINGS, by=("embeddings",), many=True),
        # The column of sources; other models do not depend on it.
        Read(SITES, when="sources"),
        Read(CURATION, optional=True, late=True),
        Read(LABELLED_SITES, when="looks_up_sites"),
        Read(STATISTICS, when="levels"),
        Read(SITES, when="unlabelled"),
        Read(CELLS, when="unlabelled"),
        Read(TREATMENTS, by=("pseudo_labels",)),
        Read(IMAGES, when="pseudo_labels"),
        Read(SITES, when="pseudo_labels"),
        Read(EMBEDDINGS, by=("embeddings",), many=True, when="unlabelled"),
    ),
    late=(
        "embeddings",
        "learner",
        "cache",
        "sources",
        "controls",
        "per",
        "covariate",
        "pseudo_labels",
        "validate_on",
        "judge_weights",
        "keep_parts",
        "patient_above",
        "average_from",
        "folds",
        "constants",
        "classifier",
        "repeat",
        "repeat_above",
        "looks_up_sites",
        "levels",
        "unlabelled",
        "draw",
        "only",
    ),
    writes=(MODELS,),
    draws=True,
    device=True,
    threads="threads",
    fits=True,
    ordered=True,
    shelves=SHELVES,
    contents=(Content("net.pretrained", recorded=False, apart=True),),
    renamed=(Renamed("balance", "class_weights"), Renamed("keep", "best_loss", "best_cost")),
)
