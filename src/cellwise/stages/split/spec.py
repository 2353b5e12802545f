"""What the step `split` declares."""

from typing import Any

from pydantic import model_validator

from cellwise.domain.nouns import CURATION, FOLDS, PIXELS, SITES, SPLIT
from cellwise.domain.specs import Read, StepOptions, StepSpec
from cellwise.errors import BadOption
from cellwise.registry import Registry, split_spec

ALONE = "site"
_SHELVES = {"method": "cellwise.stages.split"}


class Options(StepOptions):
    """Which sites stay together, and in how many folds."""

    folds: int = 2
    """How many folds, at least 2."""
    by: str | list[str] = "auto"
    """`auto`, `site`, a metadata column such as `Metadata_Plate`, or several: sites that share a
    value in any of them stay together. Exact copies always do, and what `curate` found alike."""
    strata: str | list[str] = []
    """Metadata columns such as `Metadata_Source` whose values are shared out evenly over the folds
    as classes are."""
    method: str | dict[str, Any] = "grouped"
    """The splitter, a part of this stage."""

    @model_validator(mode="before")
    @classmethod
    def _check_folds(cls, values: Any) -> Any:
        folds = values.get("folds", 2) if isinstance(values, dict) else 2
        if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
            raise BadOption(f"split: folds is a whole number of at least 2, not {folds!r}.")
        return values

    @model_validator(mode="after")
    def _check(self) -> "Options":
        names = [self.by] if isinstance(self.by, str) else self.by
        if not names:
            raise BadOption(f"split: by is 'auto', 'site' or names of columns, not {self.by!r}.")
        if len(names) > 1 and {"auto", ALONE} & set(names):
            raise BadOption("split: 'auto' and 'site' stand alone, not in a list with columns.")
        Registry("splitter", _SHELVES["method"]).check(self.method)
        return self

    @property
    def is_balanced(self) -> bool:
        """Whether the splitter makes as many folds as it is told, and not folds of its own."""
        page = Registry("splitter", _SHELVES["method"]).page(split_spec(self.method)[0])
        return "own_folds" not in page.needs

    @property
    def shared_out(self) -> tuple[str, ...]:
        """The columns whose values are shared out."""
        return (self.strata,) if isinstance(self.strata, str) else tuple(self.strata)

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The columns to group by; None for a choice by itself."""
        names = [self.by] if isinstance(self.by, str) else self.by
        return None if names == ["auto"] else tuple(names)


SPEC = StepSpec(
    version=1,
    grain="table",
    options=Options,
    reads=(Read(SITES), Read(PIXELS, optional=True), Read(CURATION, optional=True, late=True)),
    writes=(FOLDS, SPLIT),
    draws=True,
    fits=True,
    ordered=True,
    late=("strata",),
    shelves=_SHELVES,
)
