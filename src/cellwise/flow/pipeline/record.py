"""`run.json` and `quarantine.csv`: what a run was made from, and what it set aside."""

import csv
import io
import json
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from cellwise import __version__
from cellwise.domain.nouns import READING
from cellwise.flow.pipeline.contents import content_path, earlier_digest, files_digest
from cellwise.flow.pipeline.state import Request, State
from cellwise.store.atomic import write_text
from cellwise.store.objects.mirror import copy_facts
from cellwise.store.processor import look_at_processor
from cellwise.store.run.folder import FORMAT_VERSION, RunFolder

_LIBRARIES = (
    "numpy",
    "scikit-image",
    "opencv-python-headless",
    "torch",
    "lightning",
    "timm",
    "lightgbm",
)
QUARANTINE_COLUMNS = ("path", "stage", "code", "reason", "remedy")


def now() -> str:
    """The time in UTC as written into records."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def opening_record(request: Request, listing: str, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The part of `run.json` that is known before any work.

    Args:
        request: What was asked for.
        listing: Digest of the image folder.
        earlier: The record of the run before, empty for a new folder.
    """
    return {
        "format_version": FORMAT_VERSION,
        "status": "running",
        "cellwise": __version__,
        "started": now(),
        "finished": None,
        "seconds": None,
        "command": list(request.command),
        "inputs": {
            "folder": str(request.folder),
            "listing_sha256": listing,
            **_input_files(request, earlier),
            **_copies(request),
            "fitted": str(request.fitted) if request.fitted else None,
        },
        "recipe": {
            "name": request.recipe.name,
            "digest": request.recipe.digest,
            "steps": [
                {
                    "kind": step.kind,
                    "name": step.name,
                    "needs": list(step.needs),
                    "version": step.spec.version,
                    "options": step.options,
                }
                for step in request.recipe.steps
            ],
        },
        "seed": request.seed,
        "device": request.device,
        "keyed_device": request.keyed_device or request.device,
        "workers": request.workers,
        "processor": _processor(),
        "engine": request.engine,
        "versions": versions(),
        "platform": f"{platform.system()} {platform.machine()} {sys.implementation.name}",
        "steps": [],
        "counts": {},
    }


def _input_files(request: Request, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Files and folders outside the run that options name, files with a digest of their bytes.

    `files` has all of them by step and option; those of a step that bears its kind's name stand
    beside it under their option too, where other programs look for them.
    """
    found: dict[str, Any] = {"files": {}}
    for step in request.recipe.steps:
        for content in step.spec.contents:
            if not content.recorded:
                continue
            path = content_path(content, step)
            known = found.get(content.option)
            found[content.option] = known or (str(path) if path else None)
            if path is None or content.what != "file":
                continue
            # A file that is gone since still counts by what it held.
            digest = files_digest(path, content) or earlier_digest(earlier, step, content) or None
            found["files"][f"{step.title}: {content.option}"] = {
                "path": str(path),
                "digest": digest,
            }
            if known is None:
                found[f"{content.option}_sha256"] = digest
    return found


def _copies(request: Request) -> dict[str, Any]:
    """Where images, labels and masks come from that are copies, by `folder` or step and option.

    Addresses hold no credentials (`store.objects.address`).
    """
    named = {"folder": request.folder}
    for step in request.recipe.steps:
        for content in step.spec.contents:
            path = content_path(content, step)
            if path is not None:
                named[f"{step.title}: {content.option}"] = path
    facts = {name: copy_facts(path) or copy_facts(path.parent) for name, path in named.items()}
    found = {name: said for name, said in facts.items() if said}
    return {"copies": found} if found else {}


def write_record(run: RunFolder, record: dict[str, Any]) -> None:
    """Write `run.json`."""
    write_text(run.record, json.dumps(record, indent=1, sort_keys=True, default=str) + "\n")


def earlier_options(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Options per step in the record of an earlier run; empty for a new folder."""
    steps = record.get("recipe", {}).get("steps", [])
    return {f"{step['kind']}-{step['name']}": step["options"] for step in steps}


def changed_options(before: dict[str, Any] | None, after: dict[str, Any]) -> list[str]:
    """Sentences such as `epochs: 3 -> 5` for the options that differ."""
    if before is None:
        return []
    names = sorted(set(before) | set(after))
    plain = json.loads(json.dumps(after, default=str))
    return [
        f"{name}: {before.get(name)} -> {plain.get(name)}"
        for name in names
        if before.get(name) != plain.get(name)
    ]


def quarantine_rows(state: State) -> list[dict[str, str]]:
    """Every input that is set aside: sites that reading refused, and errors of later steps."""
    steps = state.request.recipe.steps
    opening = next((step.kind for step in steps if READING in step.spec.writes), "")
    rows = [
        {"stage": opening, **{key: str(problem.get(key) or "") for key in _problem_keys()}}
        for problem in state.reading().get("problems", [])
        if problem.get("set_aside")
    ]
    folder = f"{state.request.folder}/"
    rows += [
        {"stage": stage, **error, "path": error["path"].removeprefix(folder)}
        for stage, error in state.errors()
    ]
    return sorted(rows, key=lambda row: (row["path"], row["stage"], row["code"]))


def write_quarantine(run: RunFolder, rows: list[dict[str, str]]) -> None:
    """Write `quarantine.csv`; only the header where nothing is set aside."""
    text = io.StringIO()
    writer = csv.DictWriter(text, QUARANTINE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: row.get(key, "") for key in QUARANTINE_COLUMNS} for row in rows)
    write_text(run.quarantine, text.getvalue())


def _problem_keys() -> tuple[str, ...]:
    return ("path", "code", "reason", "remedy")


def _processor() -> dict[str, Any]:
    """What the number of threads of a new run is chosen by; the number itself is an option."""
    found = look_at_processor()
    return {"cores": found.cores, "load": found.load}


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on."""
    return {"python": platform.python_version(), **{n: _version(n) for n in _LIBRARIES}}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        # The same library under another name, such as OpenCV with windows.
        return "unknown"
