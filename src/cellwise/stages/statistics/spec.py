"""What the step `statistics` declares."""

from cellwise.domain.nouns import FILES, PIXELS, STATISTICS
from cellwise.domain.specs import Read, StepOptions, StepSpec


class Options(StepOptions):
    """None: sites are measured as they are."""


SPEC = StepSpec(
    version=1,
    grain="site",
    options=Options,
    reads=(Read(FILES),),
    writes=(STATISTICS, PIXELS),
    classes=False,
    batch=32,
)
