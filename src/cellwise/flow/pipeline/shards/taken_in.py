"""What shards have on record becomes the run's own; which of them have not done their part."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cellwise.domain.plain_words import counted
from cellwise.errors import FormatError, RunLocked
from cellwise.flow.pipeline.done import TABLE, Done, records_in
from cellwise.flow.pipeline.inputs import site_keys
from cellwise.flow.pipeline.lock import holder_of, is_held
from cellwise.flow.pipeline.reasons import not_passed_over
from cellwise.flow.pipeline.shards.part import RECORD, Part, home, parts_there
from cellwise.flow.pipeline.shards.plan import Plan
from cellwise.flow.pipeline.state import State, log_name
from cellwise.store.run.folder import RunFolder, read_json

# The script that submitted this job names itself here.
SCRIPT = "CELLWISE_JOBS"
_SHOWN = 6


def refuse_running(run: RunFolder) -> None:
    """Refuse to go on while a shard is being worked on; for who holds the run folder.

    Raises:
        RunLocked: Names the shard and who works on it.
    """
    for part in parts_there(run):
        folder = part.folder(run)
        if is_held(folder):
            raise RunLocked(
                f"Shard {part} of {run.path} is being worked on by {holder_of(folder)}. "
                "Wait for it, then give the same command again."
            )


def absorb(state: State) -> list[dict[str, Any]]:
    """Append the records of all shards to those of the run; returns what each shard says of itself.

    What was appended before is not appended again, so that a call may be killed here.
    """
    said = []
    for part in parts_there(state.run):
        folder = part.folder(state.run)
        for path in sorted(folder.glob("*.jsonl")):
            latest = {record.site: record for record in records_in(path)}
            log = state.log(path.stem)
            # The table that was merged before no longer tells what lies on disk.
            voided = latest.pop(TABLE, None)
            first = [Done(TABLE, "")] if voided and _key_of(log.latest, TABLE) else []
            new = [record for site, record in latest.items() if log.latest.get(site) != record]
            if first or new:
                log.append([*first, *new])
        if found := record_of(state.run, part):
            said.append(found)
    return said


def close(run: RunFolder) -> None:
    """Delete the records of shards: all of them are the run's own."""
    shutil.rmtree(home(run), ignore_errors=True)


def record_of(run: RunFolder, part: Part) -> dict[str, Any]:
    """What a shard says of itself; empty where it has not begun."""
    try:
        return read_json(part.folder(run) / RECORD)
    except (OSError, FormatError):
        return {}


def shards_said(run: RunFolder) -> list[dict[str, Any]]:
    """What shards whose work is not merged yet say of themselves, those that were killed too."""
    found = [(part, record_of(run, part)) for part in parts_there(run)]
    return [{**said, "status": _status(run, part, said)} for part, said in found if said]


def _status(run: RunFolder, part: Part, said: Mapping[str, Any]) -> str:
    killed = said.get("status") == "running" and not is_held(part.folder(run))
    return "killed" if killed else str(said.get("status"))


def missing(state: State, plan: Plan) -> dict[Part, int]:
    """How many sites each shard has left, of those that have; for records that were taken in."""
    left: set[str] = set()
    for step in not_passed_over(state, quiet=True):
        if step.spec.grain != "site":
            continue
        keys = state.site_keys[log_name(step)] = site_keys(step, state=state)
        if step.title not in plan.steps:
            continue
        latest = state.log(log_name(step)).latest
        left |= {site for site, key in keys.items() if _key_of(latest, site) != key}
        if step.title == plan.steps[-1]:
            break
    sites = state.sites()["site_id"].unique().to_list()
    parts = [Part(plan.of, number) for number in range(1, plan.of + 1)]
    counts = {part: len(left.intersection(part.takes(sites))) for part in parts} if left else {}
    return {part: count for part, count in counts.items() if count}


def refusal(state: State, left: Mapping[Part, int]) -> str:
    """Which shards have not done their part, why, and the command that does it."""
    lines = [
        f"Shard {part}: {counted(count, 'sites')} left, {_how(state.run, part)}."
        for part, count in left.items()
    ]
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], f"... and {counted(len(lines) - _SHOWN, 'more shards')}."]
    lines.append("Give them again, then the same command:" if len(left) > 1 else
                 "Give it again, then the same command:")  # fmt: skip
    return "\n".join([*lines, f"  {again(state.request.command, list(left))}"])


def again(command: Sequence[str], parts: Sequence[Part]) -> str:
    """One command that works on these shards again.

    Args:
        command: The words of a call for the whole run, or for one shard.
        parts: The shards, of one number.
    """
    script = os.environ.get(SCRIPT, "")
    numbers = [part.number for part in parts]
    if script and Path(script).is_file():
        return f"bash {shlex.quote(script)} {','.join(map(str, numbers))}"
    words = shlex.join(without_shards(command))
    if len(parts) == 1:
        return f"{words} --shard {parts[0]}"
    listed = " ".join(map(str, numbers))
    return f'for shard in {listed}; do {words} --shard "$shard/{parts[0].of}"; done'


def without_shards(command: Sequence[str]) -> list[str]:
    """The words of a call without those that speak of shards."""
    words, taken = list(command), []
    while words:
        word = words.pop(0)
        if word == "--shard":
            words = words[1:]
        elif word not in ("--merge", "--finish") and not word.startswith("--shard="):
            taken.append(word)
    # As it stands in the record, `python` says nothing of which one.
    return [sys.executable, *taken[1:]] if taken[:2] == ["python", "-m"] else taken


def _how(run: RunFolder, part: Part) -> str:
    """How a shard came to leave something."""
    said = record_of(run, part)
    status = said.get("status")
    if not said:
        return "it has not begun"
    where = f" on {said.get('host')}" if said.get("host") else ""
    if status == "running":
        return f"it was killed{where}"
    if status == "failed":
        return f"it failed{where}: {str(said.get('error', '')).rstrip('.')}"
    return f"it was interrupted{where}" if status == "interrupted" else f"it ended{where} before"


def _key_of(latest: Mapping[str, Done], site: str) -> str:
    record = latest.get(site)
    return record.key if record else ""


def as_line(record: Mapping[str, Any]) -> str:
    """The record of a shard as it lies on disk."""
    return json.dumps(record, indent=1, sort_keys=True, default=str) + "\n"
