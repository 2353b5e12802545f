"""Fetching the fields of a list: several at once, resumable, with a list of failures."""

import csv
import io
import queue
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cellwise.app.fetch.images import StoredImage, write_image
from cellwise.app.fetch.ledger import Ledger
from cellwise.app.fetch.server import Manners, NotHad, Server
from cellwise.app.fetch.wanted import CLASSES, Choice, Wanted
from cellwise.domain.steps import Report
from cellwise.flow.pipeline.lock import locked
from cellwise.store.atomic import write_text
from cellwise.store.stains import HPA_COLOURS
from cellwise.store.worlds.class_lists import class_list

LABELS, FAILURES = "labels.csv", "failures.csv"
SOURCE = "public"
FORMATS = ("jpg", "tif")
_COLUMNS = ("ID", "channel", "address", "reason")
# A worker in the middle of a request ends with the process; one that writes is waited for.
_LAST_WORDS = 2.0


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that cannot be had."""

    site_id: str
    channel: str
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch ended with.

    Args:
        sites: Fields with all their channels.
        images: Images that are there.
        received: Bytes that came this time.
        failures: What cannot be had.
    """

    sites: int
    images: int
    received: int
    failures: tuple[Failure, ...]


@dataclass(slots=True)
class _State:
    """What workers share."""

    folder: Path
    ledger: Ledger
    server: Server
    ending: str
    stop: threading.Event
    todo: "queue.SimpleQueue[Wanted]"
    done: "queue.SimpleQueue[tuple[Wanted, int, list[Failure]] | BaseException]"


def fetch(
    choice: Choice,
    out: Path,
    report: Report,
    *,
    manners: Manners | None = None,
    connections: int = 4,
    form: str = "jpg",
    verify: bool = False,
) -> Fetched:
    """Fetch all channels of the chosen fields; what is there already is not asked for again.

    Writes the images, `labels.csv` (fields with all channels), `failures.csv` and
    `fetched.jsonl`. A JPEG that the server has only damaged is asked for as gzip-ed TIFF.

    Args:
        choice: The fields.
        out: Folder; made if need be.
        report: Told the images that are done, their number, and bytes in words.
        manners: How the server is asked.
        connections: Requests under way at once at most.
        form: `jpg`, or `tif` for gzip-ed TIFF in full quality.
        verify: Read and decode again what is there.

    Raises:
        StorageError: The disk is full or cannot be written.
        RunLocked: Another process fetches into the folder.
    """
    with locked(out):
        _tidy(out)
        received = Counter[str]()
        stop = threading.Event()
        server = Server(manners or Manners(), stop, lambda count: received.update({"bytes": count}))
        todo: queue.SimpleQueue[Wanted] = queue.SimpleQueue()
        for wanted in _in_order(choice.wanted, out):
            todo.put(wanted)
        ledger = Ledger(out, verify=verify)
        state = _State(out, ledger, server, f".{form}", stop, todo, queue.SimpleQueue())
        with _workers(state, connections):
            sites, images, failures = _collect(state, len(choice.wanted), received, report)
        failures += [Failure("", "", image, reason) for image, reason in choice.refused]
        whole = [wanted for wanted in choice.wanted if wanted.site_id in sites]
        _write_labels(out, whole)
        _write_failures(out, failures)
        return Fetched(len(whole), images, received["bytes"], tuple(failures))


@contextmanager
def _workers(state: _State, count: int) -> Iterator[None]:
    threads = [
        threading.Thread(target=_work, args=(state,), daemon=True) for _ in range(max(1, count))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        state.stop.set()
        for thread in threads:
            thread.join(_LAST_WORDS)
        state.server.close()


def _collect(
    state: _State, count: int, received: Counter[str], report: Report
) -> tuple[set[str], int, list[Failure]]:
    """Wait for all fields; the ids of those that are whole, the images there, the failures."""
    sites: set[str] = set()
    images, failures = 0, list[Failure]()
    total = count * len(HPA_COLOURS)
    report(0, total, "")
    number = 0
    while number < count:
        found = _next(state)
        if found is None:
            _tell(number, total, received, failures, report)
            continue
        if isinstance(found, BaseException):
            raise found
        wanted, there, lacking = found
        images += there
        failures += lacking
        if not lacking:
            sites.add(wanted.site_id)
        number += 1
        _tell(number, total, received, failures, report)
    return sites, images, sorted(failures, key=lambda one: (one.site_id, one.channel))


def _next(state: _State) -> tuple[Wanted, int, list[Failure]] | BaseException | None:
    """The next field, the error of a worker, or None where none ended for a second."""
    try:
        return state.done.get(timeout=1.0)
    except queue.Empty:
        return None


def _tell(
    sites: int, total: int, received: Counter[str], failures: list[Failure], report: Report
) -> None:
    missing = f", {len(failures):,} not to be had" if failures else ""
    report(sites * len(HPA_COLOURS), total, f"{size_said(received['bytes'])} came{missing}")


def size_said(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _work(state: _State) -> None:
    while not state.stop.is_set():
        try:
            wanted = state.todo.get_nowait()
        except queue.Empty:
            return
        try:
            images, failures = _site(state, wanted)
            state.done.put((wanted, images, failures))
        except BaseException as error:  # noqa: BLE001 - the waiting side raises it
            state.done.put(error)
            return


def _site(state: _State, wanted: Wanted) -> tuple[int, list[Failure]]:
    """All channels of one field: how many are there, and what is not."""
    found: dict[str, tuple[str, StoredImage]] = {}
    failures: dict[str, Failure] = {}
    for colour in HPA_COLOURS:
        _channel(state, wanted, colour, found, failures)
    for again in (True, False):
        for colour, reason in _misfits(found).items():
            state.ledger.forget(found.pop(colour)[0])
            failures[colour] = Failure(
                wanted.site_id, colour, f"{wanted.stem}_{colour}{state.ending}", reason
            )
            if again:
                del failures[colour]
                _channel(state, wanted, colour, found, failures)
    return len(found), list(failures.values())


def _channel(
    state: _State,
    wanted: Wanted,
    colour: str,
    found: dict[str, tuple[str, StoredImage]],
    failures: dict[str, Failure],
) -> None:
    base = f"{wanted.place}_{colour}"
    endings = dict.fromkeys((state.ending, ".tif"))
    for ending in endings:
        held = state.ledger.held(base + ending)
        if held is not None:
            found[colour] = (base + ending, held)
            return
    said = []
    for ending in endings:
        address = f"{wanted.stem}_{colour}{'.tif.gz' if ending == '.tif' else ending}"
        path = state.folder / (base + ending)
        try:
            image = state.server.get(address, partial(write_image, path=path))
        except NotHad as error:
            said.append((address, error.reason))
            continue
        state.ledger.add(base + ending, image)
        found[colour] = (base + ending, image)
        return
    reason = said[0][1] if len(said) == 1 else f"{said[0][1]} As TIFF: {said[1][1]}"
    failures[colour] = Failure(wanted.site_id, colour, said[0][0], reason)


def _misfits(found: dict[str, tuple[str, StoredImage]]) -> dict[str, str]:
    """Channels whose image cannot belong to the field, with the reason."""
    sizes = Counter((image.height, image.width) for _, image in found.values())
    digests = Counter(image.sha256 for _, image in found.values())
    if len(digests) == 1 and len(found) == len(HPA_COLOURS):
        return dict.fromkeys(found, "All channels are one and the same image.")
    if len(sizes) < 2:
        return {}
    (usual, most), *others = sizes.most_common()
    clear = all(count < most for _, count in others)
    return {
        colour: f"{image.width}×{image.height} pixels, unlike the other channels of the field."
        for colour, (_, image) in found.items()
        if not clear or (image.height, image.width) != usual
    }


def _in_order(wanted: tuple[Wanted, ...], out: Path) -> list[Wanted]:
    """What failed last time comes last, so that it does not hold up the rest."""
    path = out / FAILURES
    if not path.is_file():
        return list(wanted)
    with path.open(encoding="utf-8", newline="") as stream:
        failed = {row.get("ID") for row in csv.DictReader(stream)}
    return sorted(wanted, key=lambda one: one.site_id in failed)


def _tidy(out: Path) -> None:
    """Remove what a killed process left half-written."""
    for path in out.rglob(".*.partial.*"):
        path.unlink(missing_ok=True)


def _write_labels(out: Path, wanted: list[Wanted]) -> None:
    names = class_list(CLASSES).names
    rows = [
        (one.site_id, "|".join(names[i] for i in one.classes), one.line, one.antibody, SOURCE)
        for one in sorted(wanted, key=lambda one: one.site_id)
    ]
    _write(out / LABELS, ("ID", "Label", "CellLine", "Antibody", "Source"), rows)


def _write_failures(out: Path, failures: list[Failure]) -> None:
    rows = [(one.site_id, one.channel, one.address, one.reason) for one in failures]
    _write(out / FAILURES, _COLUMNS, rows)


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())
