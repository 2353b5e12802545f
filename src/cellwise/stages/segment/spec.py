"""What the step `segment` declares."""

from pydantic import ConfigDict, model_validator

from cellwise.domain.nouns import FILES, MASKS, PIXELS
from cellwise.domain.specs import Content, Read, Renamed, StepOptions, StepSpec
from cellwise.errors import BadOption

# More pixels than this make a field large: some 2,900 by 2,900, more than one image of a camera.
LARGE = 2**23


class Options(StepOptions):
    """Which segmenter finds the cells; its own options stand beside these."""

    model_config = ConfigDict(extra="allow")

    name: str = "watershed"
    """The segmenter, a part of this stage; its own options stand beside it."""
    masks: str = ""
    """The folder of your own masks; only the segmenter `imported` takes it."""

    @model_validator(mode="after")
    def _check(self) -> "Options":
        if self.masks and self.name != "given":
            raise BadOption(
                f"Segmenter {self.name!r} takes no masks; --masks goes with 'imported'."
            )
        return self


SPEC = StepSpec(
    version=4,
    grain="site",
    options=Options,
    reads=(Read(FILES),),
    writes=(MASKS, PIXELS),
    classes=False,
    ordered=True,
    batch=16,
    shelves={"*": "cellwise.stages.segment"},
    contents=(Content("masks", "folder"),),
    command_words={"masks": {"name": "imported"}},
    # Of `small_unet`.
    late=("large",),
    renamed=(Renamed("name", "imported", "given"),),
)
