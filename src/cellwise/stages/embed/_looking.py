"""What embedders share that measure the pixels of cells: the channels, and fields with masks."""

from collections.abc import Sequence

from cellwise.domain.channels import ROLES, Channel
from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Job
from cellwise.errors import BadOption, InputError, PreflightError
from cellwise.store.images.fields import read_field
from cellwise.store.run.embeddings import Embeddings, is_sealed
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import read_masks
from cellwise.store.run.sites import run_channels


def channels_of(job: Job, without: Sequence[str], who: str) -> tuple[Channel, ...]:
    """The channels of a run in the order of their roles, so that vectors of two folders agree.

    Args:
        job: The job of the step.
        without: Roles or names that the options leave out.
        who: The embedder, for messages.

    Raises:
        BadOption: No channel is called so.
    """
    listed = run_channels(RunFolder(job.run))
    known = {word for channel in listed for word in (channel.role, channel.name)}
    unknown = [word for word in without if word not in known]
    if unknown:
        raise BadOption(f"embed {who}: without names {unknown[0]!r}, which is no channel.")
    return tuple(sorted(listed, key=_order))


def read_cells(site: Site, job: Job, channels: tuple[Channel, ...]) -> tuple[Field, Masks]:
    """A field with these channels, and its masks.

    Raises:
        InputError: It cannot be read, lacks a channel, or differs in size from its masks.
    """
    field = read_field(site, job.images).arranged(channels)
    masks = read_masks(RunFolder(job.run).masks, site.id)
    if masks.cells.shape != field.pixels.shape[1:]:
        raise InputError(
            f"masks {masks.cells.shape} and images {field.pixels.shape[1:]} differ in size",
            code="size_mismatch",
            remedy="Give masks of the same height and width as the images.",
            path=site.id,
        )
    return field, masks


def check_same(job: Job, names: Sequence[str]) -> None:
    """Refuse other numbers than those that a finished run learned from.

    Raises:
        PreflightError: Names the channels that one of both lacks, else one of the numbers.
    """
    if job.fitted is None:
        return
    folder = RunFolder(job.fitted).embeddings(job.name)
    if not is_sealed(folder):
        return
    learned = Embeddings(folder).columns
    other = sorted(set(learned) ^ set(names))
    if learned and other:
        theirs, ours = (
            {channel.role or channel.name for channel in run_channels(RunFolder(path))}
            for path in (job.fitted, job.run)
        )
        sides = ((sorted(theirs - ours), "lack"), (sorted(ours - theirs), "have beside them"))
        words = [f"these images {verb} {', '.join(names)}" for names, verb in sides if names]
        told = f", and {' and '.join(words)}" if words else f": {other[0]} is one of them"
        raise PreflightError(
            f"embed: {job.fitted.name} learned from other numbers than these images give{told}. "
            "Give images with the channels that it learned from."
        )


def _order(channel: Channel) -> tuple[int, str]:
    return (ROLES.index(channel.role) if channel.role else len(ROLES), channel.name)
