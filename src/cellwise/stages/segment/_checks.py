"""What the step `segment` refuses before any work, and once the sites are known."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellwise.domain.foresight import FolderFacts, Foresight, Refusal
from cellwise.domain.plain_words import counted
from cellwise.domain.records import Site
from cellwise.domain.steps import Job
from cellwise.errors import BadOption, InputError, PreflightError, UsageError
from cellwise.parts.devices import has_gpu
from cellwise.stages.segment import segmenters
from cellwise.stages.segment._network import check_channels, check_network, is_network
from cellwise.stages.segment.given import missing
from cellwise.stages.segment.spec import Options
from cellwise.stages.segment.watershed import nucleus_settings
from cellwise.store.masks.imported import GivenMasks
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import read_sites


def check(options: dict[str, Any], job: Job) -> None:
    """Refuse a wrong option of the chosen part, weights or a GPU that are not there.

    Raises:
        BadOption: An option cannot take its value.
        UsageError: There are no such weights, or no GPU where one is asked for.
        FormatError: Weights are torn, none of ours, or those of another network.
    """
    own = Options.of(options)
    if options.get("device") == "cuda" and not has_gpu():
        raise UsageError(
            f"Step {job.name!r}, option 'device': cuda is asked for, and torch sees no GPU here "
            "(`cellwise doctor` tells more)."
        )
    spec = {key: value for key, value in options.items() if key != "masks"}
    if own.name == "given" and own.masks:
        # What lies in the folder is looked at once the sites are known.
        spec["load"] = _nothing
    try:
        check_part(spec)
    except BadOption as error:
        raise BadOption(f"Step {job.name!r}: {error}") from error


def check_sites(job: Job) -> None:
    """Refuse a folder of masks that has none for any field, before each is set aside for it.

    Raises:
        PreflightError: No file fits a field; some names of either side are shown.
    """
    own = Options.of(job.options)
    if own.name == "given" and own.masks:
        found = _unfit_masks(Path(own.masks), read_sites(RunFolder(job.run).sites), job.images)
        if found is not None:
            raise PreflightError(str(found))


def _unfit_masks(folder: Path, sites: Sequence[Site], images: Path) -> Refusal | None:
    """Why no mask in a folder can be used for any of these fields; None where some can."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        return Refusal(f"{folder} {what}.", "Give the folder that holds the masks.", "masks")
    try:
        found = GivenMasks(folder, sites, images=images).matches_any()
    except InputError as error:
        return Refusal(error.reason, error.remedy, error.code)
    if found or not sites:
        return None
    there = sorted(path.name for path in folder.iterdir())[:3]
    return Refusal(
        f"No file in {folder} fits any of the {counted(len(sites), 'fields')} "
        f"({', '.join(site.id for site in sites[:3])}...): there is "
        f"{', '.join(there) or 'nothing'}.",
        "Name masks as the fields, with _cells and _nuclei where there are both.",
        "masks",
    )


def foresee(job: Job, folder: FolderFacts) -> Foresight:
    """Refuse a folder in which no field has the channels or masks needed; name those without."""
    own = Options.of(job.options)
    if own.name == "given" and own.masks:
        unfit = _unfit_masks(Path(own.masks), folder.sites, job.images)
        if unfit is not None:
            return Foresight((unfit,))
        return Foresight(aside=_without_mask(own.masks, folder.sites, job.images))
    faults: list[Refusal] = []
    for channels, _ in Counter(site.channels for site in folder.sites).most_common():
        try:
            check_channels(job.options, channels)
        except InputError as error:
            seen = any(channel.role == "nucleus" for channel in channels)
            cures = () if seen else nucleus_settings(channels)
            faults.append(Refusal(error.reason, error.remedy, error.code, cures))
        else:
            return Foresight()
    return Foresight(tuple(faults[:1]))


def _without_mask(folder: str, sites: Sequence[Site], images: Path) -> tuple[InputError, ...]:
    """The fields that will be set aside because the folder has nothing for them."""
    try:
        names = GivenMasks(folder, sites, images=images).missing()
    except InputError:
        # A broken file of outlines: the fields that need it say so.
        return ()
    return tuple(missing(site_id, folder) for site_id in names)


def check_part(options: dict[str, Any]) -> None:
    """Refuse a wrong option of the chosen part, or weights that are not there, before any work.

    Raises:
        BadOption: An option cannot take its value.
        UsageError: There are no such weights.
        FormatError: They are torn, no weights of ours, or those of another network.
    """
    if is_network(options):
        check_network(options)
    else:
        segmenters.build(options)


def _nothing(site_id: str) -> None:
    """Stands for the masks of a field while options are checked."""
