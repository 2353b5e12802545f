"""How a folder is understood: layout, sites, channels, labels, classes, and what is wrong with it.

Only reads. `cellwise check` shows what comes out of here; the read step writes it down.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from cellwise.contracts.layout import Arrangement, Listing, Problem
from cellwise.domain.classes import ClassList
from cellwise.domain.intensities import BY_TYPE
from cellwise.domain.records import Site
from cellwise.domain.steps import Report
from cellwise.errors import CellwiseError, InputError, PreflightError, UsageError
from cellwise.stages.read._assemble import OK, Assembly, assemble
from cellwise.stages.read._classes import choose_classes, label_sites
from cellwise.stages.read._crops import refuse_crops, refuse_stacks_of_crops
from cellwise.stages.read._label_source import find_labels, unknown_well_types
from cellwise.stages.read._labels import Joined
from cellwise.stages.read._reading import ChannelScale, Reading
from cellwise.stages.read._unread import unread_files
from cellwise.stages.read.arranging import (
    build_layout,
    choose_layout,
    named_layout,
    other_readings,
    unsure_folders,
)
from cellwise.stages.read.channels.split_names import (
    refuse_half_named,
    refuse_numbered_stains,
    refuse_unclear_numbers,
    split_names,
)
from cellwise.stages.read.listing import list_folder, read_headers
from cellwise.stages.read.planes.colours import settle_colours, split_colours
from cellwise.stages.read.planes.frames import spread
from cellwise.stages.read.scales.folder import by_key, fit_scales
from cellwise.stages.read.spec import Options

_FIRST = 5
_LATER = ("time", "series", "colours", "gaps")
_ONE_FILE_ONE_FIELD = ("single_channel", "class_folders")


def understand(
    folder: Path,
    options: Options,
    *,
    workers: int = 4,
    report: Report | None = None,
    inherited: Collection[str] = (),
    scales: Mapping[str, tuple[str, str]] | None = None,
    faults: list[CellwiseError] | None = None,
) -> Reading:
    """Look at a folder of images; nothing is written.

    Args:
        folder: The folder that holds the images, at any depth.
        options: Settings; the defaults recognise the known layouts.
        workers: Threads that read headers.
        report: Called while headers are read.
        inherited: Channels whose roles a finished run gives; they need not be in this folder.
        scales: Intensity scales that the run has already, and their source, by channel.
        faults: Takes what is wrong with roles, intensities and labels: the folder is then read
            without them, for all that it has to say. None raises all of it at once.

    Raises:
        PreflightError: No image, single-cell crops, intensities without a scale, labels that
            cannot be used.
        UnknownName: No layout or class list of that name.
        BadOption: A setting that does not fit the folder or its labels.
    """
    # A wrong word is said before any header is read.
    named_layout(options)
    listing = list_folder(folder)
    headers = read_headers(folder, listing.images, workers=workers, report=report)
    listing = dataclasses.replace(listing, headers=headers)
    name, arrangement, notes = _arranged(listing, options)
    wrong: list[CellwiseError] = []
    assembly = _assemble(arrangement, listing, options, inherited, wrong)
    fitted: dict[str, ChannelScale] = {}
    with _noted(wrong):
        assembly, fitted = fit_scales(
            assembly,
            listing,
            given={name: str(text) for name, text in (options.scale or {}).items()},
            known=scales or {},
            # Its images are of 8 and of 16 bits, both filled whole.
            usual=BY_TYPE if arrangement.classes == "hpa19" else "",
            workers=workers,
        )
    joined, classes, list_name = None, None, ""
    with _noted(wrong):
        found_labels = find_labels(assembly, arrangement, options, folder=folder.resolve().name)
        classes, list_name = choose_classes(found_labels, arrangement, options)
        joined = found_labels
    _hand_over(wrong, faults)
    sites, contradictions = label_sites(assembly, arrangement, joined, classes)
    strays = (_unmatched(path, name) for path in arrangement.unmatched)
    unread = unread_files(listing.others)
    found = (
        unread,
        listing.problems,
        arrangement.problems,
        strays,
        assembly.problems,
        contradictions,
        unknown_well_types(sites, options.labels or arrangement.labels_file),
    )
    problems = (*chain(*found), *(joined.problems if joined else ()))
    remarks = (*notes, *arrangement.notes, *assembly.notes, *(joined.notes if joined else ()))
    return Reading(
        layout=name,
        sites=sites,
        status=assembly.status,
        headers=assembly.headers,
        channels=assembly.channels,
        classes=classes,
        class_list=list_name,
        problems=problems,
        counts=_counts(listing, sites, assembly, joined, problems),
        notes=(*remarks, *_table_hint(listing, options, arrangement)),
        labels_file=(options.labels or arrangement.labels_file) if joined else "",
        unlabelled=joined.without_row if joined else (),
        label_columns=joined.columns if joined else {},
        scales=fitted,
        again={
            **_again(name, options, assembly, classes, list_name),
            "scale": by_key(fitted, assembly.channels),
        },
    )


def _arranged(listing: Listing, options: Options) -> tuple[str, Arrangement, list[str]]:
    """The layout, the folder arranged by it, and a note where another would do as well."""
    name = named_layout(options)
    refuse_stacks_of_crops(listing)
    if name == "auto":
        refuse_crops(listing)
        name, layout, others = choose_layout(listing, options)
        if name in _ONE_FILE_ONE_FIELD and split_names(listing) is None:
            refuse_half_named(listing)
            refuse_numbered_stains(listing)
            refuse_unclear_numbers(listing)
    else:
        layout, others = build_layout(name, options), []
    arrangement = layout.arrange(listing)
    # A layout or labels that are given settle what folders are.
    unsure = []
    if options.layout == "auto" and not options.pattern:
        names = [other for other, _ in others]
        unsure = unsure_folders(name, arrangement, names, listing, options)
    said = [pair for pair in others if not unsure or "class_folders" not in (name, pair[0])]
    notes = [*unsure, *other_readings(arrangement, said, listing)]
    if options.colours == "split":
        arrangement = split_colours(arrangement, listing)
    return name, arrangement, notes


def _assemble(
    arrangement: Arrangement,
    listing: Listing,
    options: Options,
    inherited: Collection[str],
    wrong: list[CellwiseError],
) -> Assembly:
    def assembled(roles: Mapping[str, str]) -> Assembly:
        found = assemble(
            arrangement,
            listing,
            roles=roles,
            inherited=inherited,
            stack=options.stack,
            spread=spread(arrangement, listing, time=options.time, series=options.series),
            pixel_size=options.pixel_size,
            gaps=options.gaps,
        )
        return settle_colours(found, listing)

    with _noted(wrong):
        return assembled(options.roles or {})
    return assembled({})


@contextmanager
def _noted(wrong: list[CellwiseError]) -> Iterator[None]:
    """Note what is wrong and go on: a folder has more to say."""
    try:
        yield
    except CellwiseError as error:
        wrong.append(error)


def _hand_over(wrong: list[CellwiseError], faults: list[CellwiseError] | None) -> None:
    """Leave what is wrong to the caller, or raise it all.

    Raises:
        CellwiseError: The one fault; of several, with the class of the first, all of them.
    """
    if faults is not None:
        faults += wrong
    elif len(wrong) == 1:
        raise wrong[0]
    elif wrong:
        kind = UsageError if isinstance(wrong[0], UsageError) else PreflightError
        raise kind("\n".join(map(str, wrong)))


def _unmatched(path: str, layout: str) -> Problem:
    return Problem(
        "name_unmatched",
        path,
        f"The name does not fit the layout {layout}; the file is not used.",
        "Rename it, or say how files are named: --pattern.",
    )


def _counts(
    listing: Listing,
    sites: tuple[Site, ...],
    assembly: Assembly,
    joined: Joined | None,
    problems: tuple[Problem, ...],
) -> dict[str, Any]:
    codes = [problem.code for problem in problems]
    usable = sum(status == OK for status in assembly.status.values())
    return {
        "images": len(listing.images),
        "unreadable_images": sum(isinstance(h, InputError) for h in listing.headers.values()),
        "sites": len(sites),
        "sites_usable": usable,
        "sites_set_aside": len(sites) - usable,
        "sites_labelled": sum(bool(site.labels) for site in sites),
        "sites_unlabelled": sum(not site.labels for site in sites),
        "channels": len(assembly.channels),
        "plates": len({s.metadata["Plate"] for s in sites if "Plate" in s.metadata}),
        "wells": len(
            {(s.metadata.get("Plate"), s.metadata["Well"]) for s in sites if "Well" in s.metadata}
        ),
        **(joined.counts if joined else {}),
        "problems": {code: codes.count(code) for code in sorted(set(codes))},
        "other_files": dict(listing.others),
        "ignored_files": dict(listing.ignored),
    }


def _table_hint(listing: Listing, options: Options, arrangement: Arrangement) -> tuple[str, ...]:
    if arrangement.labels_hint and not options.labels:
        return (arrangement.labels_hint,)
    tables = [path for path in listing.tables if path.lower().endswith((".csv", ".tsv"))]
    if options.labels or arrangement.labels is not None or not tables:
        return ()
    shown = ", ".join(tables[:_FIRST])
    return (f"There is {shown}; if it holds the labels, give it with --labels.",)


def _again(
    name: str,
    options: Options,
    assembly: Assembly,
    classes: ClassList | None,
    list_name: str,
) -> dict[str, Any]:
    return {
        "layout": name,
        "pattern": options.pattern,
        "roles": {c.name: c.role for c in assembly.channels if c.role is not None},
        "classes": list_name or _inline(classes),
        "pixel_size": options.pixel_size,
        "stack": options.stack,
        "declared": options.declared,
        # What came later stands there only where it says something.
        **{n: v for n, v in options if n in _LATER and v != Options.model_fields[n].default},
    }


def _inline(classes: ClassList | None) -> str:
    """The classes as an option; the bar at the end of a single one tells it from a list's name."""
    if classes is None:
        return "auto"
    return "|".join(classes.names) + ("|" if len(classes) == 1 else "")
