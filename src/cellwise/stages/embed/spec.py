"""What the step `embed` declares."""

from typing import Literal

from pydantic import ConfigDict

from cellwise.domain.nouns import (
    ADAPTED,
    CELLS,
    EMBEDDINGS,
    FILES,
    FOLD_OF_SITE,
    MODELS,
    SITES,
    STATISTICS,
)
from cellwise.domain.specs import Content, Read, Renamed, StepOptions, StepSpec
from cellwise.registry import Registry


class Options(StepOptions):
    """Where vectors come from, and how they are kept."""

    model_config = ConfigDict(extra="allow")

    name: str = "imported"
    """The embedder, a part of this stage, `by` in recipes; its own options stand beside it."""
    dtype: Literal["float16", "float32"] = "float16"
    """How numbers are kept: float16 holds three digits, up to 65,504."""

    @property
    def looks_at_sites(self) -> bool:
        """Whether whole sites are looked at, for which no cells are needed."""
        return "tiles" in Registry("embedder", "cellwise.stages.embed").page(self.name).needs

    @property
    def looks_at_cells(self) -> bool:
        """Whether cells are looked at, or fields with their cells."""
        return not self.looks_at_sites


SPEC = StepSpec(
    version=1,
    grain="site",
    options=Options,
    reads=(
        Read(CELLS, when="looks_at_cells"),
        Read(FILES, when="looks_at_sites"),
        Read(MODELS, by=("model",), optional=True),
        Read(FOLD_OF_SITE, optional=True, when="model"),
        Read(ADAPTED, by=("adapted",), optional=True),
        # Cell types that choose or are told to a network, and whose brightness is taken away.
        Read(SITES, when="looks_at_sites"),
        Read(STATISTICS, when="looks_at_sites", optional=True),
    ),
    writes=(EMBEDDINGS,),
    device=True,
    classes=False,
    late=("relative", "only", "looks_at_sites", "adapted"),
    batch=64,
    shelves={"*": "cellwise.stages.embed"},
    contents=(Content("file", beside=(".csv", ".npy")),),
    threads="threads",
    renamed=(Renamed("name", "by"),),
)
