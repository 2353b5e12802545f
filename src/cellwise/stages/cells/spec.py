"""What the step `cells` declares."""

from typing import Literal

from pydantic import model_validator

from cellwise.domain.crop_plan import CropPlan
from cellwise.domain.nouns import CELLS, FILES, MASKS
from cellwise.domain.specs import Read, StepOptions, StepSpec
from cellwise.errors import BadOption


class Options(StepOptions):
    """How crops are cut, and whether they are kept."""

    size: int = 64
    """Side of the crops in pixels."""
    policy: str = "mask_others"
    """`mask_others`, `mask_all`, `keep`, `dim` or `recentre`; see `domain.crop_plan`."""
    pad: float = 0.1
    """Window beyond the longer side of the cell's box, as a fraction of it."""
    window: float | Literal["auto"] | None = None
    """Side of the window in source pixels, the same for all cells, in place of `pad`; `auto` is
    settled before a run so that 95 of 100 cells fit."""
    dim: float = 0.25
    """Factor of policy `dim` for everything outside the cell."""
    repeat: bool = False
    """Show a cell that is more than twice as long as wide twice, side by side."""
    inside: bool = False
    """Shift windows that reach beyond the image until they lie inside it."""
    field_side: int = 0
    """Side in pixels to which larger fields are brought before cells are cut out, so that fields of
    several sizes show cells alike sharp; 0 cuts them as they are. The table is of the field."""
    crops: bool = True
    """`false` keeps only the table; no network can be trained on cells then."""

    @model_validator(mode="after")
    def _check(self) -> "Options":
        if self.field_side and self.field_side < 64:
            raise BadOption(f"cells: field_side is 0 or at least 64, not {self.field_side}.")
        assert self.plan
        return self

    @property
    def plan(self) -> CropPlan:
        """How cells are cut out; a window that is not settled yet counts as one of `size`."""
        window = float(self.size) if self.window == "auto" else self.window
        return CropPlan(
            self.size, self.policy, self.pad, window, self.dim, self.repeat, self.inside
        )


SPEC = StepSpec(
    version=1,
    grain="site",
    options=Options,
    reads=(Read(MASKS), Read(FILES, under="-")),
    writes=(CELLS,),
    classes=False,
    late=("inside", "field_side"),
    ordered=True,
    batch=32,
    headline=("cells",),
    measured=("window",),
)
