"""Checks of what meets folders: layouts, splitters, exporters."""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cellwise.contracts.exporter import Exporter
from cellwise.contracts.layout import Arrangement, Layout, Listing
from cellwise.contracts.splitter import SplitInput, Splitter
from cellwise.errors import PreflightError
from cellwise.stages.read.listing import list_folder, read_headers
from cellwise.store.run.folder import RunFolder
from cellwise.testing._component import Component
from cellwise.testing.runs import write_small_run, write_small_wells


def check_layout(build: Callable[..., Layout], folder: Path, **options: Any) -> None:
    """Check a layout on a folder that is laid out its way: every image has a place or is named.

    Args:
        build: The component's function.
        folder: Images laid out as the layout expects.
        **options: What the layout is built with.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("layout", build, options)
    layout = part.make(Layout)
    listing = list_folder(folder)
    listing = replace(listing, headers=read_headers(folder, listing.images))
    sure = layout.recognise(listing)
    rule = "it knows its own folder, with a confidence above 0 and up to 1"
    part.need(sure is not None and 0 < sure <= 1, rule, sure)
    found = layout.arrange(listing)
    _check_places(part, found, listing)
    same = layout.arrange(listing) == found
    part.need(same, "the same folder is arranged alike", "two arrangements differ")
    other = Listing(folder, images=("a b.tif", "c/d?.png"), stats={"a b.tif": (1, 1)})
    doubt = layout.recognise(other)
    rule = "another folder is None to it, or recognised with a confidence in 0..1"
    part.need(doubt is None or 0 <= doubt <= 1, rule, doubt)


def _check_places(part: Component, found: Arrangement, listing: Listing) -> None:
    part.need(isinstance(found, Arrangement), "it gives an Arrangement", type(found).__name__)
    part.need(found.planes, "its own folder has images with a place", "no plane")
    placed = {plane.path for plane in found.planes}
    unknown = sorted((placed | set(found.unmatched)) - set(listing.images))
    part.need(not unknown, "planes are images of the folder", unknown[:3])
    lost = sorted(set(listing.images) - placed - set(found.unmatched))
    rule = "every image has a place or is unmatched, or a note says why not"
    part.need(not lost or found.notes or found.problems, rule, lost[:3])
    both = sorted(placed & set(found.unmatched))
    part.need(not both, "an image with a place is not unmatched", both[:3])
    seats = [(p.part, p.site_id, p.channel.lower(), p.z, p.t, p.plane) for p in found.planes]
    twice = len(seats) - len(set(seats))
    part.need(not twice, "no two planes have one place", f"{twice} places taken twice")
    for plane in found.planes:
        named = plane.site_id and plane.channel
        part.need(named, "a plane has a site and a channel", plane.path)
        known = plane.part in ("", "train", "test")
        part.need(known, "part is 'train', 'test' or empty", repr(plane.part))


def check_splitter(build: Callable[..., Splitter], **options: Any) -> None:
    """Check a splitter: groups stay whole, every fold is used, the order of rows plays no part.

    A module whose `NEEDS` say `own_folds` makes as many as it likes, whatever it is told.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("splitter", build, options)
    split = part.make()
    fold = split(given := _sites())
    own_folds = "own_folds" in getattr(sys.modules[build.__module__], "NEEDS", ())
    if own_folds:
        given = replace(given, folds=int(fold.max()) + 1)
    count = len(given.site_ids)
    whole = fold.shape == (count,) and np.issubdtype(fold.dtype, np.integer)
    part.need(whole, f"it gives a whole number per site, {count}", f"{fold.shape} {fold.dtype}")
    low, high = int(fold.min()), int(fold.max())
    inside = low >= -1 and high < given.folds
    part.need(inside, f"folds are -1 (none) or 0..{given.folds - 1}", f"{low}..{high}")
    used = sorted(set(fold[given.labelled].tolist()) - {-1})
    part.need(len(used) == given.folds, "every fold has labelled sites", f"folds {used}")
    for group in np.unique(given.groups):
        own = set(fold[given.groups == group].tolist())
        part.need(len(own) == 1, "a group stays whole", f"group {group} in folds {sorted(own)}")
    order = np.random.default_rng(1).permutation(count)
    moved = replace(
        given,
        site_ids=tuple(given.site_ids[row] for row in order),
        groups=given.groups[order],
        labels=given.labels[order],
        labelled=given.labelled[order],
        names=tuple(given.names[row] for row in order),
        kinds=tuple(given.kinds[row] for row in order),
    )
    part.need_equal(split(moved), fold[order], "the order of the rows is of no influence")
    part.need_equal(split(given), fold, "the same sites get the same folds")
    if own_folds:
        return
    many = replace(given, folds=count + 1)
    rule = "more folds than groups are refused"
    part.need_refused(lambda: split(many), PreflightError, rule)


def _sites() -> SplitInput:
    """Twelve labelled groups of two sites, and one group without labels."""
    groups = np.repeat(np.arange(13), 2)
    labels = np.eye(3, dtype=bool)[groups % 3]
    labelled = groups < 12
    labels[~labelled] = False
    names = tuple(f"s{row:02d}" for row in range(len(groups)))
    experiments = tuple(f"{'AB'[group % 2]}-{group}" for group in groups.tolist())
    return SplitInput(
        names,
        groups,
        labels,
        labelled,
        folds=3,
        seed=0,
        names=experiments,
        kinds=tuple(name[0] for name in experiments),
    )


def check_exporter(build: Callable[..., Exporter], **options: Any) -> None:
    """Check an exporter on a small run: one file or folder, whole or not at all, the run untouched.

    Raises:
        BrokenContract: A rule does not hold.
    """
    part = Component("export", build, options)
    export = part.make()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        run = write_small_run(home / "run")
        write_small_wells(run)
        before = _contents(run.path)
        path = home / "out" / "export.file"
        path.parent.mkdir()
        export(run, path)
        part.need(path.exists(), "it writes the file or folder that was asked for", "no file")
        size = path.stat().st_size if path.is_file() else sum(map(len, _contents(path).values()))
        part.need(size > 0, "it is not empty", "0 bytes")
        beside = sorted(file.name for file in path.parent.iterdir())
        part.need(beside == [path.name], "it writes that and leaves no other", beside)
        part.need(_contents(run.path) == before, "the run stays as it is", "other files in it")
        _check_nothing_to_export(part, export, home)


def _check_nothing_to_export(part: Component, export: Exporter, home: Path) -> None:
    empty, path = RunFolder(home / "empty"), home / "out" / "nothing.file"
    empty.path.mkdir()
    rule = "a run without predictions is refused"
    part.need_refused(lambda: export(empty, path), PreflightError, rule)
    part.need(not path.exists(), "what is refused leaves no file", path.name)


def _contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
