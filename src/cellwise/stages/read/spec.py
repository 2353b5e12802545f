"""What the step `read` declares."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import field_validator, model_validator

from cellwise.domain.channels import ROLES
from cellwise.domain.intensities import BY_TYPE, ONE_BY_ONE, Scale
from cellwise.domain.nouns import IMAGES, READING, SITES
from cellwise.domain.specs import Content, Read, StepOptions, StepSpec
from cellwise.errors import BadOption
from cellwise.registry import did_you_mean
from cellwise.store.images.pixel_sizes import LARGEST


class Options(StepOptions):
    """How a folder is read; the defaults recognise the known layouts."""

    layout: str = "auto"
    """A layout's name, or `auto` to take the most specific that fits."""
    pattern: str = ""
    """How files are named, such as `{plate}_{well}_s{site}_w{channel}`."""
    labels: str = ""
    """Path of the labels file, empty for none."""
    key: str = ""
    """Its key columns, joined by commas; found by their names where empty."""
    label: str = ""
    """Its label column; found by its name where empty. Several, joined by commas, hold the labels
    together: as words, or as one column per class with 0 and 1."""
    separator: Literal[
        "",
        "bar",
        "semicolon",
        "comma",
        "space",
        "slash",
        "plus",
        "ampersand",
        "and",
        "line",
    ] = ""
    """What stands between labels besides `|`: `semicolon`, `comma`, `space`, `slash`, `plus`,
    `ampersand`, the word `and` or `line` (a new line in the cell); with `bar` any other text is one
    label, and empty refuses what looks like several."""
    spelling: Literal["", "merge"] = ""
    """`merge` makes one class of classes that differ in case, blanks, `_` and `-` only."""
    roles: Mapping[str, str] | None = None
    """Role by channel name; wins over the guess."""
    classes: str = "auto"
    """A named class list, names joined by `|`, or `auto`."""
    pixel_size: float = 0.0
    """Micrometres per pixel of all sites; 0 takes what the files say."""
    stack: Literal["max", "mid", "refuse"] = "max"
    """What Z stacks become: `max`, `mid` or `refuse`."""
    declared: Literal["use", "ignore"] = "use"
    """Whether to `use` or `ignore` labels that the folder itself declares."""
    scale: Mapping[str, str | float] | None = None
    """Stored numbers that become 0.0 and 1.0, by name or role of a channel: `0..4095`, or 4095
    for short; `type` takes the whole range of each file's number type. Else it is decided once
    from the folder, and kept."""
    time: Literal["refuse", "each", "first"] = "refuse"
    """What time series become: `refuse` sets them aside, `each` makes a site of every time point
    (`_t0001`), `first` takes the first one."""
    series: Literal["each", "first", "refuse"] = "each"
    """What files with several fields become: `each` makes a site of every one (`_s01`), `first`
    takes the first one, `refuse` sets them aside."""
    gaps: Literal["refuse", "black"] = "refuse"
    """What images of OME-Zarr with lost pieces become: `refuse` sets them aside, `black` reads
    whatever is not stored as black."""
    colours: Literal["grey", "split"] = "grey"
    """What images stored as colours become: `grey` takes grey ones and those of one hue and sets
    the others aside, `split` makes three channels red, green and blue."""

    @field_validator("roles", mode="before")
    @classmethod
    def _whole_names(cls, roles: object) -> object:
        """Names that hold a dot (`Cy 5.5`) arrive in pieces, since a setting's path has dots."""
        return _flat(roles) if isinstance(roles, Mapping) else roles

    @model_validator(mode="after")
    def _check(self) -> "Options":
        if not 0 <= self.pixel_size <= LARGEST:
            raise BadOption(
                f"read.pixel_size is micrometres per pixel, at most {LARGEST:g}, not "
                f"{self.pixel_size}. A number of nanometres is to be divided by 1,000."
            )
        for name, role in (self.roles or {}).items():
            if role not in ROLES:
                raise BadOption(
                    f"read.roles.{name}: no role is called {role!r}."
                    f"{did_you_mean(role, list(ROLES))} There is: {', '.join(ROLES)}."
                )
        for name, text in (self.scale or {}).items():
            if str(text) not in (BY_TYPE, ONE_BY_ONE):
                try:
                    Scale.parse(str(text))
                except ValueError as error:
                    raise BadOption(f"read.scale.{name}: {error}") from error
        return self


def _flat(roles: Mapping[Any, object], before: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in roles.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


SPEC = StepSpec(
    version=5,
    grain="table",
    options=Options,
    reads=(Read(IMAGES),),
    writes=(SITES, READING),
    classes=False,
    ordered=True,
    contents=(Content("labels", settings=("key", "label")),),
    headline=("sites",),
    command_words={"labels": {}, "layout": {}, "pattern": {}},
    late=("scale", "separator", "spelling", "time", "series", "colours", "gaps"),
)
