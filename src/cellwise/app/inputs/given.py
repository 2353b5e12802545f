"""Folder, labels and masks as they were given become paths: what lies elsewhere is copied first."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cellwise.app.inputs.places import cache_folder, home_of
from cellwise.app.inputs.readers import reader_of, reading
from cellwise.domain.plain_words import counted
from cellwise.domain.steps import Report
from cellwise.errors import PreflightError, RunLocked, StorageError
from cellwise.flow.pipeline.lock import Waiting, holder_of, locked
from cellwise.store.objects.address import STORES, Address, looks_like_address, parse_address
from cellwise.store.objects.gs import GsSource
from cellwise.store.objects.mirror import Plan, address_of, mirror
from cellwise.store.objects.s3 import S3Source
from cellwise.store.objects.source import OneFile, Source
from cellwise.store.objects.zipped import ZipSource

# As long as another process may take to fetch the same images.
_PATIENCE = 12 * 3600.0
_MASKS_FILES = (".json", ".geojson", ".csv")

Bucket = S3Source | GsSource


@dataclass(frozen=True, slots=True)
class Given:
    """What was given, as paths of this machine.

    Args:
        folder: The folder of images, or what else the words named.
        name: What a run of these images is called.
        labels: The labels file; None where none was given.
        masks: The masks; None where none were given.
        elsewhere: Whether `folder` is a copy of what was named.
        beside: Where a run of these images lies by itself: beside a folder or zip file, here where
            they come from an address.
    """

    folder: Path
    name: str
    labels: Path | None
    masks: Path | None
    elsewhere: bool
    beside: Path


@dataclass(frozen=True, slots=True)
class Teller:
    """How a call speaks while it fetches.

    Args:
        say: Told sentences.
        report: Told how far it is.
    """

    say: Callable[[str], None]
    report: Report


def is_elsewhere(text: Path | str) -> bool:
    """Whether what was given is an address or a zip file, which is copied before it is read."""
    return looks_like_address(str(text)) or _is_zip(Path(text))


@contextmanager
def given_inputs(
    folder: Path | str,
    *,
    labels: Path | str | None = None,
    masks: Path | str | None = None,
    cache: Path | str | None = None,
    teller: Teller,
) -> Iterator[Given]:
    """Copy what lies in an object store or zip file, and keep the copies as they are in the block.

    What is a path of this machine stays as it is.

    Args:
        folder: Folder, zip file or address.
        labels: File or address of one.
        masks: Folder or file, zip file or address.
        cache: Folder of the copies; see `places.cache_folder`.
        teller: Told what is fetched.

    Raises:
        UsageError: An address that is not read.
        PreflightError: It cannot be had, or holds what is refused.
        StorageError: The copy cannot be written; the same call goes on.
        Interrupted: A file cannot be had any more; the same call goes on.
    """
    with ExitStack() as stack:

        def path(said: Path | str, what: str) -> Path:
            return _path(said, what, cache=cache, teller=teller, stack=stack)

        found = path(folder, "folder")
        yield Given(
            found,
            found.name,
            None if labels is None else path(labels, "labels"),
            None if masks is None else path(masks, "masks"),
            is_elsewhere(folder),
            Path() if looks_like_address(str(folder)) else Path(folder).parent,
        )


def _path(
    said: Path | str, what: str, *, cache: Path | str | None, teller: Teller, stack: ExitStack
) -> Path:
    if not is_elsewhere(said):
        local = Path(said)
        if address_of(local):
            # A copy that is given by its path is read like any other.
            stack.enter_context(reading(local.absolute().parents[1]))
        return local
    source = _source(said, what)
    stack.callback(source.close)
    home = home_of(cache_folder(cache), source.name, source.address)
    files = _copied(source, home, teller, stack)
    return files / source.entry.name if isinstance(source, OneFile) else files


def _source(said: Path | str, what: str) -> Source:
    """Where the files of an input lie.

    Raises:
        PreflightError: One object where a folder is asked for, or the other way round.
    """
    if not looks_like_address(str(said)):
        if what == "labels":
            raise PreflightError(
                f"{said} is a zip file. Unpack it, and give the labels file in it."
            )
        return ZipSource(Path(said))
    address = parse_address(str(said))
    source = _bucket(address)
    file = what == "labels" or (what == "masks" and address.path.lower().endswith(_MASKS_FILES))
    # A folder and an object may have the same name; the ending tells which is meant.
    single = source.single() if file or "." in address.name else None
    if file:
        if single is None:
            raise PreflightError(f"{address} is not there. Look at its name: case counts.")
        return OneFile(source, single)
    if single is not None and single.size:
        cure = "Fetch it, and give the file." if _is_zip_name(address.name) else "Name its folder."
        raise PreflightError(f"{address} is one object, not a folder of images. {cure}")
    return source


def _bucket(address: Address) -> Bucket:
    makers: dict[str, Callable[[Address], Bucket]] = {"s3": S3Source, "gs": GsSource}
    assert makers.keys() == STORES.keys()
    return makers[address.protocol](address)


def _copied(source: Source, home: Path, teller: Teller, stack: ExitStack) -> Path:
    """The folder of the copy, which is read from here on."""

    def say(plan: Plan) -> None:
        if plan.missing:
            size = f"{counted(len(plan.entries), 'files')}, {_megabytes(plan.size)}"
            part = "" if len(plan.missing) == len(plan.entries) else (
                f", {_megabytes(plan.missing_size)} of them new or changed"
            )  # fmt: skip
            teller.say(f"{source.address}: {size}{part}; fetching into {home}")

    def may_replace() -> None:
        if who := reader_of(home):
            raise RunLocked(
                f"{source.address} changed since it was copied to {home}, and {who} reads that "
                "copy. Wait for it, or make a copy of your own with --cache DIR."
            )

    waiting = Waiting(f"fetch {source.address}", _PATIENCE, teller.say)
    try:
        with locked(home, waiting):
            files = mirror(source, home, teller.report, say=say, may_replace=may_replace)
            stack.enter_context(reading(home))
    except StorageError as error:
        raise StorageError(error.errno, _about_cache(error.strerror or str(error))) from error
    except RunLocked as error:
        if error.__cause__ is None:
            raise
        raise RunLocked(
            f"{home} is being written by {holder_of(home)}. Wait for it, or name another folder "
            "with --cache DIR."
        ) from error
    return files


def _about_cache(text: str) -> str:
    text = text.replace("the run folder ", "the cache ")
    return text.replace("Choose another --out.", "Name another folder with --cache DIR.")


def _megabytes(count: int) -> str:
    if count < 1e5:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:,.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB"


def _is_zip(path: Path) -> bool:
    return _is_zip_name(path.name) and not path.is_dir()


def _is_zip_name(name: str) -> bool:
    return name.lower().endswith(".zip")
