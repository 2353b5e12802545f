"""What the step `member` declares."""

from pathlib import Path

from pydantic import model_validator

from cellwise.domain.nouns import CELLS, FOLDS, MASKS, SCORES, SITES
from cellwise.domain.specs import Content, Read, StepOptions, StepSpec
from cellwise.errors import BadOption


class Options(StepOptions):
    """Which finished run, and which of its tables."""

    predictions: str
    """`predictions.parquet` of a finished run, or another of its tables of predictions."""

    @model_validator(mode="after")
    def _check(self) -> "Options":
        path = Path(self.predictions)
        if not path.name.startswith("predictions") or path.suffix != ".parquet":
            raise BadOption(
                f"member: predictions is RUN/predictions.parquet, not {self.predictions!r}."
            )
        return self


SPEC = StepSpec(
    version=1,
    grain="table",
    options=Options,
    reads=(Read(SITES), Read(CELLS), Read(MASKS), Read(FOLDS, optional=True)),
    writes=(SCORES,),
    # Where probabilities lie in an array beside it, the table holds what follows from them.
    contents=(Content("predictions"),),
)
