"""What the step `adapt` declares."""

from typing import Literal

from pydantic import model_validator

from cellwise.domain.nouns import ADAPTED, FOLDS, IMAGES, MODELS, SITES, STATISTICS
from cellwise.domain.specs import Read, StepOptions, StepSpec
from cellwise.errors import BadOption


class Options(StepOptions):
    """Whose batch normalisation takes which images' statistics."""

    model: str
    """Name of the train step, of the task `tile`, whose networks are adapted."""
    by: Literal["experiment", "plate"] = "experiment"
    """What has statistics of its own. A plate's take away what all its treatments share, too."""
    on: Literal["all", "controls"] = "all"
    """All sites of it, or those of its control wells: these are the same treatments everywhere."""
    sites: int = 0
    """At most so many sites of each, as chance picks them by their names; 0 for all."""
    batch: int = 128
    """About so many tiles at a time, mixed by chance from all wells of it. Part of the result: each
    batch is normalised by itself while what enters the layers is added up."""
    threads: int = 2
    """Processor threads; part of the result. As of `train`, fewer on a busy machine."""

    @model_validator(mode="after")
    def _check(self) -> "Options":
        if not self.model:
            raise BadOption("adapt: model names a train step.")
        for name in ("batch", "threads"):
            least = 2 if name == "batch" else 1
            if getattr(self, name) < least:
                raise BadOption(f"adapt: {name} is at least {least}, not {getattr(self, name)}.")
        if self.sites < 0:
            raise BadOption(f"adapt: sites is not negative, as {self.sites} is.")
        return self


SPEC = StepSpec(
    version=1,
    grain="table",
    options=Options,
    reads=(
        Read(IMAGES),
        Read(SITES),
        Read(MODELS, by=("model",)),
        Read(FOLDS, optional=True),
        Read(STATISTICS, optional=True),
    ),
    writes=(ADAPTED,),
    device=True,
    threads="threads",
)
