"""What the step `profile` declares."""

from typing import Literal

from pydantic import model_validator

from cellwise.domain.nouns import EMBEDDINGS, PROFILES, SITES
from cellwise.domain.specs import Read, StepOptions, StepSpec
from cellwise.errors import BadOption


class Options(StepOptions):
    """Which vectors make a well's, and what is taken out of them."""

    embeddings: str
    """Name of the embed step; a well's vector is the mean over its sites of the mean of their
    vectors."""
    normalise: Literal["none", "plate", "controls", "spherize", "typical_variation"] = "plate"
    """What is taken out: nothing, the mean of the plate, that of its control wells; `spherize` then
    gives the control wells unit variance in every direction; `typical_variation` does so over all
    experiments and once more in each."""
    regularise: float = 0.01
    """Added to variances, as a share of their mean, before they are divided by."""

    @model_validator(mode="after")
    def _check(self) -> "Options":
        if not self.embeddings:
            raise BadOption("profile: embeddings names an embed step.")
        if not self.regularise > 0:
            raise BadOption(f"profile: regularise is above 0, not {self.regularise}.")
        return self


SPEC = StepSpec(
    version=1,
    grain="table",
    options=Options,
    reads=(Read(SITES), Read(EMBEDDINGS, by=("embeddings",))),
    writes=(PROFILES,),
    classes=False,
)
