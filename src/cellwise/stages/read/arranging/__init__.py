"""Which layout a folder has: the one that is named, else the most specific one that fits."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from cellwise.contracts.layout import Arrangement, Layout, Listing
from cellwise.domain.plain_words import counted
from cellwise.errors import BadOption
from cellwise.stages.read.arranging.folders import taken_as_classes, taken_as_places
from cellwise.stages.read.layouts import layouts
from cellwise.stages.read.spec import Options

# Confidence from which a layout that was not taken is worth a word.
_FITS_TOO = 0.4


def named_layout(options: Options) -> str:
    """The layout the user names, `pattern` where only a pattern is given, else `auto`."""
    if options.pattern and options.layout not in ("auto", "pattern"):
        raise BadOption(
            f"--pattern describes a layout of its own: leave out --layout {options.layout}."
        )
    name = "pattern" if options.pattern else options.layout
    if name != "auto":
        layouts.page(name)
    if name == "pattern" and not options.pattern:
        raise BadOption("--layout pattern needs --pattern, such as '{well}_{channel}'.")
    return name


def build_layout(name: str, options: Options) -> Layout:
    """The layout of this name; a pattern is one of the options."""
    spec: str | dict[str, Any] = name
    if name == "pattern":
        spec = {"name": name, "pattern": options.pattern}
    built = layouts.build(spec)
    assert isinstance(built, Layout)
    return built


def choose_layout(
    listing: Listing, options: Options
) -> tuple[str, Layout, list[tuple[str, Layout]]]:
    """The most specific layout that fits, and others that fit well too."""
    fitting: list[tuple[float, str, Layout]] = []
    for name in layouts.part_names():
        # Folders that carry a labels file are not themselves the labels.
        if name == "pattern" or (name == "class_folders" and options.labels):
            continue
        layout = build_layout(name, options)
        confidence = layout.recognise(listing)
        if confidence is not None:
            fitting.append((confidence, name, layout))
    fitting.sort(key=lambda item: (-item[0], item[1]))
    others = [(name, layout) for confidence, name, layout in fitting[1:] if confidence >= _FITS_TOO]
    return fitting[0][1], fitting[0][2], others


def unsure_folders(
    name: str, taken: Arrangement, others: Sequence[str], listing: Listing, options: Options
) -> list[str]:
    """The other meaning of folders that may be classes or places, with its command."""
    if name == "class_folders":
        return [taken_as_classes(listing, others)]
    if options.labels or taken.labels is not None:
        return []
    note = taken_as_places(taken, build_layout("class_folders", options), listing, layout=name)
    return [note] if note else []


def other_readings(
    taken: Arrangement, others: Sequence[tuple[str, Layout]], listing: Listing
) -> list[str]:
    """A note on layouts that use as many files, find as many fields, and understand them unlike."""
    fields = _files_by_field(taken)
    names = []
    for name, layout in others:
        other = layout.arrange(listing)
        found = _files_by_field(other)
        unlike = found != fields or (other.labels is not None and taken.labels is None)
        if unlike and len(found) >= len(fields) and len(other.unmatched) <= len(taken.unmatched):
            names.append(f"{name} ({counted(len(found), 'fields')})")
    note = (
        f"Read so, the folder has {counted(len(fields), 'fields')}; it could also be read as "
        f"{', '.join(names)}: --layout NAME takes another."
    )
    return [note] if names else []


def _files_by_field(arrangement: Arrangement) -> set[frozenset[tuple[str, int | None]]]:
    fields = defaultdict(set)
    for plane in arrangement.planes:
        fields[plane.part, plane.site_id].add((plane.path, plane.plane))
    return {frozenset(files) for files in fields.values()}
