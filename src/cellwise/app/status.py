"""What is done, running and set aside in a run folder; only looks."""

from pathlib import Path
from typing import Any

from cellwise.errors import FormatError, PreflightError
from cellwise.flow.pipeline.done import parse_line
from cellwise.flow.pipeline.progress import FILE
from cellwise.store.run.folder import RunFolder, read_json

_NOTHING_TOLD = dict.fromkeys(
    [
        *("unit", "done", "total", "note", "rate", "seconds_left", "time"),
        *("model", "models", "fold", "epoch", "epochs"),
    ]
)
_USED = ("status", "recipe", "started", "finished", "steps", "counts")


def run_status(run: Path) -> dict[str, Any]:
    """The facts behind `status`; only reads.

    Raises:
        PreflightError: Not a run folder.
    """
    from cellwise.flow.pipeline.shards.taken_in import shards_said
    from cellwise.store.run.set_aside import count_set_aside

    folder = RunFolder(run)
    if not folder.record.is_file():
        raise PreflightError(f"{run} is not a run folder: it holds no run.json.")
    record = _record(folder)
    finished = {(step["kind"], step["name"]): step["state"] for step in record["steps"]}
    # A finished run waits for nothing: what it has not done it had no need of.
    waiting = "not needed" if record["status"] == "done" else "waiting"
    steps = []
    for step in record["recipe"]["steps"]:
        kind, name = step["kind"], step["name"]
        log = folder.done / f"{kind if name == kind else f'{kind}-{name}'}.jsonl"
        steps.append(
            {
                "kind": kind,
                "name": name,
                "state": finished.get((kind, name), waiting),
                "sites": _recorded_sites(log),
            }
        )
    status = _liveness(run, record) if record["status"] == "running" else record["status"]
    progress = _progress(folder, steps) if status == "running" else None
    return {
        "status": status,
        "holder": _holder(run) if status == "running" else None,
        "progress": progress,
        "recipe": record["recipe"]["name"],
        "started": record["started"],
        "finished": record["finished"],
        "steps": steps,
        "counts": record["counts"],
        "shards": shards_said(folder),
        "fields_set_aside": count_set_aside(folder)[0],
        "quarantined": _lines(folder.quarantine) - 1 if folder.quarantine.is_file() else 0,
    }


def _progress(folder: RunFolder, steps: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What runs now: its step, and how far that is where it told; marks the step as running.

    Some steps do another one along; the one that told is the one that runs.
    """
    try:
        told = read_json(folder.temporary / FILE)
    except (OSError, FormatError):
        told = {}
    waiting = [step for step in steps if step["state"] == "waiting"]
    running = next((s for s in waiting if step_title(s) == told.get("step")), None)
    if running is None:
        told, running = {}, next(iter(waiting), None)
    if running is None:
        return None
    running["state"] = "running"
    return {**_NOTHING_TOLD, "step": step_title(running), **told}


def step_title(step: dict[str, Any]) -> str:
    """What a step is called: its kind, and its name where that is another."""
    kind, name = str(step["kind"]), str(step["name"])
    return kind if kind == name else f"{kind} {name}"


def _holder(run: Path) -> dict[str, Any] | None:
    """Who works on a run: `host`, `pid`, and `silent` seconds since its last sign."""
    from cellwise.flow.pipeline.lock import holder_elsewhere, said_by_holder

    said = said_by_holder(run)
    here = {"host": said.get("host"), "pid": said["pid"], "silent": 0.0} if said else None
    return holder_elsewhere(run) or here


def _liveness(run: Path, record: dict[str, Any]) -> str:
    """A run that says `running` without a holder of its lock was killed.

    Locks of other hosts are not seen on every network disk: there its holder's last sign counts.
    """
    from filelock import FileLock, Timeout

    from cellwise.flow.pipeline.lock import SILENT, holder_elsewhere

    lock = FileLock(run / ".lock")
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return str(record["status"])
    lock.release()
    other = holder_elsewhere(run)
    if other and other["silent"] < SILENT:
        return str(record["status"])
    if other:
        minutes = round(other["silent"] / 60)
        return f"killed on {other['host']} {minutes} min ago (the same command resumes)"
    return "killed (the same command resumes)"


def _record(folder: RunFolder) -> dict[str, Any]:
    record = read_json(folder.record)
    missing = [name for name in _USED if name not in record]
    if missing:
        raise PreflightError(
            f"{folder.record} was not written by cellwise: it has no {missing[0]}."
        )
    return record


def _recorded_sites(log: Path) -> int:
    if not log.is_file():
        return 0
    records = (parse_line(line) for line in log.read_bytes().splitlines())
    # A later record counts, and one without a key says that the result is being made again.
    latest = {record.site: record.key for record in records if record is not None}
    return sum(bool(key) for site, key in latest.items() if site)


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
