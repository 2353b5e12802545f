"""What the step `score` declares."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import model_validator

from cellwise.domain.nouns import (
    ADAPTED,
    CELLS,
    EMBEDDINGS,
    FIELD_LABELS,
    FILES,
    FOLD_OF_SITE,
    FOLDS,
    MODELS,
    SCORES,
    SITES,
    STATISTICS,
)
from cellwise.domain.precisions import check_precision
from cellwise.domain.specs import Former, Read, StepOptions, StepSpec, names_of
from cellwise.errors import BadOption
from cellwise.registry import Registry, split_spec

_SHELVES = {"by": "cellwise.stages.score"}
AUTO = "auto"
_SEEN = {
    "crops": "crops of cells",
    "fields": "whole fields",
    "vectors": "embeddings",
    "tiles": "tiles of whole sites",
}


class Options(StepOptions):
    """Whose models score, how, and with which numbers."""

    model: str
    """Name of the train step whose models score."""
    by: str | dict[str, Any] = "cell_net"
    """The scorer, a part of this stage."""
    threads: int = 2
    """Processor threads; part of the result: sums in another order differ in the last digits. As of
    `train`, fewer on a busy machine."""
    precision: str = "fp32"
    """`fp32`, `bf16`, `fp16` for a GPU, or `auto`: the fastest that the machine has units for, so
    that the last digits depend on the machine."""
    runtime: Literal["", "auto", "fp32", "bf16", "fp16", "openvino", "openvino-bf16"] = ""
    """In place of `precision`: what networks calculate with. `auto` times those that the machine
    has on images of the run and takes the fastest of which no probability differs by more than
    0.02 from `fp32`; what was seen stands in `run.json`. `openvino` needs that package."""
    maps: int = 0
    """Labelled fields whose class maps are kept for the report, where the scorer has any (`cam`);
    each class has its turn."""
    combine: Literal["", "logits", "probabilities"] = ""
    """What the mean over views and models is of, `logits` where not said; that of probabilities is
    kept as its logit."""
    embeddings: str | list[str] = ""
    """Name of the embed step whose vectors `vector_net` and `vector_learner` look at, or of several
    in the order in which the model learned from them."""
    adapted: str = ""
    """Name of the adapt step whose statistics the networks normalise by; `tiles` only."""

    @model_validator(mode="after")
    def _check(self) -> "Options":
        if not self.model:
            raise BadOption("score: model names a train step.")
        if self.threads < 1:
            raise BadOption("score: threads is at least 1.")
        check_precision("score", self.precision)
        Registry("scorer", _SHELVES["by"]).check(self.by)
        if self.maps < 0:
            raise BadOption(f"score: maps is not negative, as {self.maps} is.")
        if self.runtime not in ("", AUTO) and self.looks_at_sites:
            raise BadOption("score: runtime is of crops, fields and vectors, not of 'by: tiles'.")
        if self.adapted and not self.looks_at_sites:
            raise BadOption("score: adapted goes with 'by: tiles'.")
        return self

    @property
    def looks_at_sites(self) -> bool:
        """Whether whole sites are judged, for which no cells are needed."""
        scorer, _ = split_spec(self.by)
        return "tiles" in Registry("scorer", _SHELVES["by"]).page(scorer).needs

    @property
    def looks_at_cells(self) -> bool:
        """Whether cells are judged, or fields with their cells."""
        return not self.looks_at_sites

    def check_named(self, named: Mapping[str, StepOptions]) -> None:
        """Refuse a scorer of models that see other pixels.

        Parts say in their source what they look at, so nothing is imported and no hour is lost.
        """
        model = named.get(f"model: {self.model}")
        task = getattr(model, "task", None)
        if task is None:
            return
        others = names_of(getattr(model, "embeddings", ""))
        own = names_of(self.embeddings)
        if own and others and own != others:
            raise BadOption(
                f"model {self.model!r} learns from embeddings {list(others)}, and {list(own)} are "
                "named here: name the same, in that order."
            )
        scorer, _ = split_spec(self.by)
        learned, _ = split_spec(task)
        needs = Registry("scorer", _SHELVES["by"]).page(scorer).needs
        if ("learner" in needs) != bool(getattr(model, "learner", "")) and "vectors" in needs:
            fitting = "vector_net" if "learner" in needs else "vector_learner"
            raise BadOption(
                f"the scorer {scorer!r} does not go with model {self.model!r}: take "
                f"'by: {fitting}'."
            )
        looks = set(needs) & set(_SEEN)
        seen = set(Registry("task", "cellwise.parts.tasks").page(learned).needs) & set(_SEEN)
        if looks and seen and not looks & seen:
            raise BadOption(
                f"the scorer {scorer!r} shows {_SEEN[min(looks)]}, and model {self.model!r} learns "
                f"{_SEEN[min(seen)]} (task {learned!r})."
            )


_FORMER = (Read(CELLS), Read(MODELS, by=("model",)), Read(FOLDS, optional=True))
SPEC = StepSpec(
    version=1,
    grain="site",
    options=Options,
    reads=(
        Read(CELLS, when="looks_at_cells"),
        Read(FILES, when="looks_at_sites"),
        Read(MODELS, by=("model",)),
        Read(FOLD_OF_SITE, optional=True),
        Read(EMBEDDINGS, by=("embeddings",), many=True),
        Read(ADAPTED, by=("adapted",)),
        # Plates and cell types, for models that look them up.
        Read(SITES, when="looks_at_sites"),
        Read(STATISTICS, when="looks_at_sites", optional=True),
    ),
    late=("embeddings", "combine", "adapted", "looks_at_sites", "runtime"),
    finish_reads=(Read(FIELD_LABELS, when="maps"),),
    writes=(SCORES,),
    draws=True,
    device=True,
    batch=64,
    shelves=_SHELVES,
    threads="threads",
    # The labels came with the class maps.
    former=(Former((*_FORMER, Read(FIELD_LABELS, when="maps"))), Former(_FORMER)),
)
