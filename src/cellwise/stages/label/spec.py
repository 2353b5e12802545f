"""What the step `label` declares."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from cellwise.domain.nouns import (
    CELLS,
    EMBEDDINGS,
    FIELD_LABELS,
    FOLDS,
    LABELLED_CELLS,
    LABELLED_EMBEDDINGS,
    LABELLED_FOLDS,
    LABELS,
    NOT_TEACHING,
    SCORES,
    SITES,
)
from cellwise.domain.specs import Content, Read, StepOptions, StepSpec
from cellwise.errors import BadOption
from cellwise.registry import Registry, split_spec

_SHELVES = {"by": "cellwise.stages.label"}


class Options(StepOptions):
    """How the cells of labelled fields get labels of their own."""

    by: str | dict[str, Any] = "inherit"
    """The labeller, a part of this stage."""
    from_: str | None = Field(default=None, alias="from")
    """Name of the score step whose out-of-fold scores the labeller reads."""
    truth: str = ""
    """Folder that says what each cell shows, for the labeller `known` only, which measures what
    perfect labels would be worth."""
    embeddings: str | list[str] = ""
    """Name of the embed step whose vectors of cells the labeller learns from; several stand side by
    side, and each counts as much as any other."""
    labels: str = ""
    """Name of an earlier label step whose labels the labeller starts from, in place of those that
    cells inherit."""
    annotations: str = ""
    """Table of verdicts of people on single cells, a CSV file or `annotations/annotations.parquet`
    of a run: what was seen and refused stands in place of what any labeller says."""
    judged_weight: float = Field(default=0, ge=0)
    """Weight in training of a cell that a person judged; 0 for 1, or for more where the labeller
    says so."""
    hold_out_random: bool = False
    """Whether verdicts on cells drawn at random for an audit are kept from teaching. They then
    tell only what is supposed of all other cells (by the labeller `posterior`), and what was
    learned can be judged by them."""
    test_part: bool = False
    """Whether `progressive` gives labels to cells of the test part too, whatever is known of them.
    Figures of the test part are then of fields that were looked at, though not of their labels."""
    level: Literal["", "site", "sample", "well", "plate", "experiment"] = ""
    """Whose cells share out a label among them: those of a site where not said, or of a sample
    (where metadata name one, an antibody, a protein or a gene; else of a site), which `posterior`
    takes by itself, a well, a plate, an experiment. Sites of one bag have the same labels and the
    same fold."""

    @model_validator(mode="after")
    def _check(self) -> "Options":
        labellers = Registry("labeller", _SHELVES["by"])
        labellers.check(self.by)
        name, _ = split_spec(self.by)
        needs = labellers.page(name).needs
        self._check_evidence(name, needs)
        self._check_vectors(name, needs)
        if self.test_part and not self.takes_unlabelled:
            raise BadOption(f"label: {name!r} labels no unlabelled fields; leave out 'test_part'.")
        if self.judged_weight and not self.annotations:
            raise BadOption("label: 'judged_weight' is of cells that 'annotations: <file>' names.")
        if self.hold_out_random and not self.annotations:
            raise BadOption("label: 'hold_out_random' is of verdicts that 'annotations' names.")
        if "scores" in needs and not self.from_ and not ("rounds" in needs and self.embeddings):
            learned = ", or vectors with 'embeddings: <embed step>'" if "rounds" in needs else ""
            raise BadOption(
                f"label: {name!r} needs scores; name them with 'from: <score step>'{learned}."
            )
        if self.from_ and not {"scores", "evidence", "vectors"} & set(needs):
            raise BadOption(f"label: {name!r} reads no scores; leave out 'from: {self.from_}'.")
        if "truth" in needs and not self.truth:
            raise BadOption(f"label: {name!r} needs the truth; give it with 'truth: <folder>'.")
        if self.truth and "truth" not in needs:
            raise BadOption(
                f"label: {name!r} must not know the truth; leave out 'truth: {self.truth}'."
            )
        return self

    @property
    def learns(self) -> bool:
        """Whether what other cells show enters the labels of a cell."""
        needs = Registry("labeller", _SHELVES["by"]).page(split_spec(self.by)[0]).needs
        return bool({"evidence", "vectors", "unlabelled"} & set(needs) or self.embeddings)

    @property
    def takes_samples(self) -> bool:
        """Whether cells of one sample share out a label without a word about the level."""
        labellers = Registry("labeller", _SHELVES["by"])
        return not self.level and "evidence" in labellers.page(split_spec(self.by)[0]).needs

    @property
    def takes_unlabelled(self) -> bool:
        """Whether the labeller gives labels to cells of fields without a label."""
        return (
            "unlabelled" in Registry("labeller", _SHELVES["by"]).page(split_spec(self.by)[0]).needs
        )

    def _check_vectors(self, name: str, needs: Sequence[str]) -> None:
        """Vectors, and what is said of cells before, of which one at most."""
        if "vectors" not in needs:
            if self.labels and "start" not in needs:
                raise BadOption(
                    f"label: {name!r} starts from no labels; leave out 'labels: {self.labels}'."
                )
        elif not self.embeddings:
            raise BadOption(
                f"label: {name!r} needs vectors; name them with 'embeddings: <embed step>'."
            )
        elif self.labels and self.from_:
            raise BadOption(
                f"label: {name!r} starts from labels or from scores; name one of 'labels' and "
                "'from'."
            )

    def _check_evidence(self, name: str, needs: Sequence[str]) -> None:
        """Vectors or scores, one of them, for labellers that learn from evidence."""
        if "rounds" in needs and self.embeddings and self.from_:
            raise BadOption(
                f"label: {name!r} reads scores or learns from vectors; leave out 'from' or "
                "'embeddings'."
            )
        if "evidence" not in needs:
            if self.embeddings and not {"vectors", "rounds"} & set(needs):
                raise BadOption(
                    f"label: {name!r} reads no vectors; leave out 'embeddings: {self.embeddings}'."
                )
        elif bool(self.embeddings) == bool(self.from_):
            raise BadOption(
                f"label: {name!r} learns from vectors or from scores; name one of them, with "
                "'embeddings: <embed step>' or 'from: <score step>'."
            )


SPEC = StepSpec(
    version=1,
    grain="table",
    options=Options,
    reads=(
        Read(FIELD_LABELS),
        Read(LABELLED_CELLS),
        Read(SCORES, by=("from",), many=True),
        Read(SITES, when="level"),
        Read(FOLDS, optional=True, when="level"),
        Read(LABELLED_EMBEDDINGS, by=("embeddings",), many=True),
        Read(LABELLED_FOLDS, optional=True, when="embeddings"),
        Read(LABELS, by=("labels",)),
        # Which sites are of one sample stands in metadata.
        Read(SITES, when="takes_samples"),
        Read(SITES, when="takes_unlabelled"),
        Read(CELLS, when="takes_unlabelled"),
        Read(NOT_TEACHING, late=True, when="learns"),
        Read(EMBEDDINGS, by=("embeddings",), many=True, when="takes_unlabelled"),
    ),
    writes=(LABELS,),
    draws=True,
    fits=True,
    ordered=True,
    late=(
        "level",
        "embeddings",
        "labels",
        "takes_samples",
        "takes_unlabelled",
        "test_part",
        "annotations",
        "judged_weight",
        "hold_out_random",
    ),
    shelves=_SHELVES,
    contents=(Content("truth", "folder", recorded=False), Content("annotations")),
)
