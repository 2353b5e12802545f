"""A local copy of a folder elsewhere: listed first, then fetched, whole files only, none twice.

All that follows reads an ordinary folder, so that its results are those of one. The copy holds what
is listed and nothing else: what changed there is fetched again, what is gone there goes here.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cellwise.domain.plain_words import counted
from cellwise.domain.steps import Report
from cellwise.errors import Interrupted, PreflightError
from cellwise.store.atomic import write_text
from cellwise.store.objects.fetching import fetch_all
from cellwise.store.objects.ledger import Ledger
from cellwise.store.objects.names import Names
from cellwise.store.objects.source import Entry, Source

ABOUT, _COPY = "source.json", "copy"
# A file that was being written when its process was killed.
_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.partial")
_ROUNDS = 3
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is fetched at most.

    Args:
        files: Files.
        total: Bytes of all of them.
        largest: Bytes of one.
        spared: Bytes of the disk that stay free.
    """

    files: int = 2_000_000
    total: int = 100 << 40
    largest: int = 256 << 30
    spared: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done to a copy.

    Args:
        entries: All files that are listed, in the order of their names.
        missing: Those that are fetched.
        gone: Files of the copy that are no more listed, or that are fetched anew.
    """

    entries: tuple[Entry, ...]
    missing: tuple[Entry, ...]
    gone: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries)

    @property
    def missing_size(self) -> int:
        """Bytes to be fetched."""
        return sum(entry.size for entry in self.missing)


def mirror(
    source: Source,
    home: Path,
    report: Report,
    *,
    say: Callable[[Plan], None],
    may_replace: Callable[[], None],
    limits: Limits | None = None,
    connections: int = 16,
) -> Path:
    """Make the copy what the source is now; for who holds `home`.

    Args:
        source: Where the files lie.
        home: Folder of the copy and of what is known of it.
        report: Told bytes that are done and their number, while files come.
        say: Told what will be done, before it is.
        may_replace: Called before a file of the copy is replaced or removed; raises where somebody
            reads it.
        limits: How much is fetched at most.
        connections: Files under way at once at most.

    Returns:
        The folder of the files.

    Raises:
        PreflightError: It is refused, or too large; no file of the copy was touched.
        StorageError: The disk is full or cannot be written; the same call goes on.
        Interrupted: A file cannot be had; the same call goes on.
    """
    limits = limits or Limits()
    files = home / _COPY / source.name
    ledger = Ledger(home, files)
    changing: list[str] = []
    for _ in range(_ROUNDS):
        entries = listed(source, limits, report)
        plan = _plan(entries, ledger, files)
        if any(not _PARTIAL.match(name.rpartition("/")[2]) for name in plan.gone):
            may_replace()
        _refuse_full_disk(plan, home, limits, source.address)
        say(plan)
        _remove(files, plan.gone)
        changing = fetch_all(source, plan.missing, files, ledger, report, connections=connections)
        if not changing:
            ledger.settle(plan.entries)
            _describe(source, plan, home)
            return files
    shown = f"{', '.join(changing[:_SHOWN])}{', ...' if len(changing) > _SHOWN else ''}"
    raise Interrupted(
        f"{source.address}: {counted(len(changing), 'files')} changed while they were fetched, "
        f"{_ROUNDS} times ({shown}). Wait until they are written, then give the same command again."
    )


def listed(source: Source, limits: Limits, report: Report) -> list[Entry]:
    """All files of a source, in the order of their names.

    Raises:
        PreflightError: A name is refused, there are too many, they are too large, or there is none.
    """
    names = Names(source.address, windows=os.name == "nt")
    entries: list[Entry] = []
    total = 0
    for page in source.pages():
        for entry in page:
            # What some programs make to show an empty folder.
            if not entry.size and (not entry.name or entry.name.endswith("/")):
                continue
            names.take(entry.name)
            if entry.size > limits.largest:
                raise PreflightError(
                    f"{source.address}: {entry.name} has {entry.size / 1e9:.0f} GB; a file is "
                    f"fetched up to {limits.largest / 1e9:.0f} GB."
                )
            total += entry.size
            entries.append(entry)
        _refuse_too_much(len(entries), total, limits, source.address)
        report(0, 0, f"{counted(len(entries), 'files')} listed")
    if not entries:
        raise PreflightError(
            f"{source.address} holds no file. Look at its name: upper and lower case count."
        )
    return sorted(entries, key=lambda entry: entry.name)


def address_of(folder: Path | str) -> str:
    """The address that a folder is a copy of; empty for any other folder."""
    return str(_about(Path(folder)).get("address", ""))


def copy_facts(folder: Path | str) -> dict[str, str | int]:
    """What a record says of a copy: `address`, `files`, `bytes`, `listing_sha256`; else nothing."""
    return dict(_about(Path(folder)))


def _about(folder: Path) -> dict[str, str | int]:
    if folder.absolute().parent.name != _COPY:
        return {}
    path = folder.absolute().parents[1] / ABOUT
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    ours = isinstance(facts, dict) and facts.pop("name", None) == folder.absolute().name
    return facts if ours else {}


def _describe(source: Source, plan: Plan, home: Path) -> None:
    seen = hashlib.sha256()
    for entry in plan.entries:
        seen.update(f"{entry.name}\0{entry.size}\0{entry.tag}\n".encode())
    facts = {
        "address": source.address,
        "name": source.name,
        "files": len(plan.entries),
        "bytes": plan.size,
        "listing_sha256": seen.hexdigest(),
    }
    write_text(home / ABOUT, json.dumps(facts, indent=1, sort_keys=True) + "\n")


def _plan(entries: list[Entry], ledger: Ledger, files: Path) -> Plan:
    missing = tuple(entry for entry in entries if not ledger.holds(entry))
    kept = {entry.name for entry in entries} - {entry.name for entry in missing}
    gone = tuple(name for name in _found(files) if name not in kept)
    return Plan(tuple(entries), missing, gone)


def _found(files: Path) -> Iterable[str]:
    """Every file of the copy, those that were half written too."""
    for base, folders, names in os.walk(files):
        place = Path(base).relative_to(files)
        # A folder that is a link is none of ours.
        links = [name for name in folders if (Path(base) / name).is_symlink()]
        for name in (*names, *links):
            yield (place / name).as_posix()


def _remove(files: Path, gone: Iterable[str]) -> None:
    for name in gone:
        path = files / name
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == files:
                break
            try:
                folder.rmdir()
            except OSError:
                break


def _refuse_too_much(count: int, total: int, limits: Limits, address: str) -> None:
    if count > limits.files or total > limits.total:
        raise PreflightError(
            f"{address} holds {counted(count, 'files')} of {total / 1e12:.1f} TB or more; at most "
            f"{counted(limits.files, 'files')} and {limits.total / 1e12:.0f} TB are fetched. "
            "Name a folder in it, such as one plate."
        )


def _refuse_full_disk(plan: Plan, home: Path, limits: Limits, address: str) -> None:
    place = next(path for path in (home, *home.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if plan.missing and plan.missing_size + limits.spared > free:
        raise PreflightError(
            f"{address}: {plan.missing_size / 1e9:.1f} GB are to be fetched into {home}, where "
            f"{free / 1e9:.1f} GB are free and {limits.spared / 1e9:.0f} GB of them stay so. Name "
            "a folder on a larger disk with --cache, or make room."
        )
