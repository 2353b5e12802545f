"""What the read step is told and what it tells: its options, and a folder as understood."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cellwise.contracts.layout import Problem
from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.intensities import BY_TYPE, ONE_BY_ONE, Scale, scale_of_type
from cellwise.domain.records import Site
from cellwise.stages.read._assemble import OK


@dataclass(frozen=True, slots=True)
class ChannelScale:
    """The scale of one channel and what it rests on.

    Args:
        text: The scale as `Scale` writes it, or one of the words `type` and `each`.
        source: `type` where the number type alone says it, `sample` where decoded images do,
            `setting` where it is given, `run` where this run has it already.
        stored: How many usable images there are of each number type.
        low: The smallest number in the images that were decoded, None where none was.
        high: The largest.
        sampled: How many were decoded.
    """

    text: str
    source: str
    stored: Mapping[str, int] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    sampled: int = 0

    def of(self, dtype: str) -> Scale | None:
        """The scale of an image of this number type; None where it is scaled by itself."""
        if self.text == BY_TYPE:
            return scale_of_type(dtype)
        return None if self.text == ONE_BY_ONE else _parsed(self.text)

    def to_json(self) -> dict[str, Any]:
        """What `reading.json` and `check` say."""
        return {("scale" if k == "text" else k): v for k, v in dataclasses.asdict(self).items()}


# Asked for every image of a folder.
@lru_cache(maxsize=256)
def _parsed(text: str) -> Scale:
    return Scale.parse(text)


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
        label_columns: The columns that the labels file was joined by (`well`, `plate`, `site`,
            `name` ... to column), and under `label` its label column; empty without a file.
        scales: The intensity scale of each channel, by name.
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
    label_columns: Mapping[str, str]
    scales: Mapping[str, ChannelScale]
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
            "label_columns": dict(self.label_columns),
            "scales": {name: scale.to_json() for name, scale in self.scales.items()},
            "again": dict(self.again),
        }
