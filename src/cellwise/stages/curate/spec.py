"""What the step `curate` declares."""

from typing import Literal

from pydantic import model_validator

from cellwise.domain.nouns import (
    CURATION,
    EMBEDDINGS,
    FIELD_LABELS,
    FILES,
    FINGERPRINTS,
    MASKS,
    PIXELS,
    READING,
    SITES,
)
from cellwise.domain.specs import Read, StepOptions, StepSpec
from cellwise.errors import BadOption


class Options(StepOptions):
    """Which fields teach: one of each that is there several times, and clear negatives."""

    duplicates: bool = True
    """Whether of fields that show the same only one teaches; they stay in one fold in any case."""
    negatives: bool | Literal["auto"] = "auto"
    """Whether fields of the negative class teach only where a cell is obviously stained; `auto`:
    in layouts of the Human Protein Atlas."""
    stained: float = 150.0
    """From which mean of its brightest protein pixels a cell is obviously stained, in 0..255 of the
    camera's range."""
    brightest: int = 10
    """How many pixels that mean is over, in a field whose longer side is 2,048 pixels; as much of
    the field's area in others, at least one pixel."""
    embeddings: str = ""
    """Name of an embed step: fields also show the same where cells of one have their likeness in
    the other, as in a copy that was moved, turned or cut."""

    @model_validator(mode="after")
    def _check(self) -> "Options":
        if not 0 <= self.stained <= 255:
            raise BadOption(f"curate: stained lies in 0..255, not {self.stained}.")
        if self.brightest < 1:
            raise BadOption(f"curate: brightest is at least 1, not {self.brightest}.")
        return self


SPEC = StepSpec(
    version=1,
    grain="site",
    options=Options,
    reads=(Read(MASKS), Read(FILES)),
    finish_reads=(
        Read(FIELD_LABELS),
        Read(SITES),
        Read(PIXELS),
        Read(READING),
        Read(EMBEDDINGS, by=("embeddings",)),
    ),
    writes=(FINGERPRINTS, CURATION),
    classes=False,
    fits=True,
    late=("embeddings",),
)
