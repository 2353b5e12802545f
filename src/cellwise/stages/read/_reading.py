"""What the read step is told and what it tells: its options, and a folder as understood."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cellwise.contracts.layout import Problem
from cellwise.domain.channels import ROLES, Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.records import Site
from cellwise.errors import BadOption
from cellwise.registry import did_you_mean
from cellwise.stages.read._assemble import OK


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The settings of the read step.

    Args:
        layout: A layout's name, or `auto` to take the most specific that fits.
        pattern: How files are named, such as `{plate}_{well}_s{site}_w{channel}`.
        labels: Path of the labels file, empty for none.
        key: Its key column where two could be it.
        label: Its label column where two could be it.
        roles: Role by channel name; wins over the guess.
        classes: A named class list, names joined by `|`, or `auto`.
        pixel_size: Micrometres per pixel of all sites; 0 takes what the files say.
        stack: What Z or time stacks become: `max`, `mid` or `refuse`.
        declared: Whether to `use` or `ignore` labels that the folder itself declares.
    """

    layout: str = "auto"
    pattern: str = ""
    labels: str = ""
    key: str = ""
    label: str = ""
    roles: Mapping[str, str] = dataclasses.field(default_factory=dict)
    classes: str = "auto"
    pixel_size: float = 0.0
    stack: Literal["max", "mid", "refuse"] = "max"
    declared: Literal["use", "ignore"] = "use"

    def __post_init__(self) -> None:
        if self.stack not in ("max", "mid", "refuse"):
            raise BadOption(f"read.stack is max, mid or refuse, not {self.stack!r}.")
        if self.declared not in ("use", "ignore"):
            raise BadOption(f"read.declared is use or ignore, not {self.declared!r}.")
        if not 0 <= self.pixel_size < 1000:
            raise BadOption(f"read.pixel_size is micrometres per pixel, not {self.pixel_size}.")
        for name, role in self.roles.items():
            if role not in ROLES:
                raise BadOption(
                    f"read.roles.{name}: no role is called {role!r}."
                    f"{did_you_mean(role, list(ROLES))} There is: {', '.join(ROLES)}."
                )


@dataclass(frozen=True, slots=True)
class Reading:
    """A folder as understood.

    Args:
        layout: Name of the layout.
        sites: All sites with their labels, sorted by id; also those that cannot be used.
        status: `ok`, or why a site cannot be used, by site id.
        headers: Facts about the file of each (site id, channel name).
        channels: The channels of the folder, with roles.
        classes: The class list, None where there are no labels.
        class_list: The name of that list, empty where it comes from the labels.
        problems: All that was noticed.
        counts: Sites, images, labels and so on.
        notes: What a person should know.
        labels_file: Where the labels come from, empty if none.
        unlabelled: Ids of the sites that no row of the labels file is about.
        again: The read options by which another folder laid out alike is read.
    """

    layout: str
    sites: tuple[Site, ...]
    status: Mapping[str, str]
    headers: Mapping[tuple[str, str], dict[str, Any]]
    channels: tuple[Channel, ...]
    classes: ClassList | None
    class_list: str
    problems: tuple[Problem, ...]
    counts: Mapping[str, Any]
    notes: tuple[str, ...]
    labels_file: str
    unlabelled: tuple[str, ...]
    again: Mapping[str, Any]

    @property
    def usable(self) -> tuple[Site, ...]:
        """The sites that will be processed."""
        return tuple(site for site in self.sites if self.status[site.id] == OK)

    def to_json(self) -> dict[str, Any]:
        """What `reading.json` holds."""
        classes = self.classes
        return {
            "layout": self.layout,
            "pattern": self.again["pattern"],
            "channels": [{"name": c.name, "role": c.role} for c in self.channels],
            "classes": None
            if classes is None
            else {
                "list": self.class_list,
                "names": list(classes.names),
                "negative": classes.negative,
            },
            "counts": dict(self.counts),
            "problems": [dataclasses.asdict(problem) for problem in self.problems],
            "notes": list(self.notes),
            "labels_file": self.labels_file,
            "unlabelled": list(self.unlabelled),
            "again": dict(self.again),
        }
