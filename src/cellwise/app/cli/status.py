"""`cellwise status`: what is done, running and set aside; safe while the run is under way."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from cellwise.app.cli.terminal.ending import set_aside_said
from cellwise.app.cli.terminal.options import AsJson, RunPath
from cellwise.app.cli.terminal.screen import clock
from cellwise.app.status import run_status, step_title
from cellwise.domain.plain_words import by_number, counted
from cellwise.errors import UsageError
from cellwise.store.run.folder import RunFolder


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("status", help="What is done, running and set aside.")(status)


def status(
    run: RunPath,
    as_json: AsJson = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Print metrics in the text format of Prometheus.")
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port",
            min=0,
            max=65535,
            help="Answer with them at this port of 127.0.0.1 until interrupted; 0 = a free one.",
        ),
    ] = None,
) -> None:
    """What is done, running and set aside."""
    if as_json + metrics + (metrics_port is not None) > 1:
        raise UsageError("--json, --metrics and --metrics-port: choose one of them.")
    if metrics_port is not None:
        from cellwise.app.metrics import serve_metrics

        serve_metrics(run, metrics_port)
        return
    if metrics:
        from cellwise.app.metrics import metrics_text

        print(metrics_text(run), end="")
        return
    facts = run_status(run)
    if as_json:
        print(json.dumps(facts, indent=1, sort_keys=True))
        return
    print(f"{run}: {facts['status']}, recipe {facts['recipe']}, started {facts['started']}")
    if holder := facts["holder"]:
        last = f", last sign {holder['silent']:.0f} s ago" if holder["silent"] else ""
        print(f"  held by process {holder['pid']} on {holder['host']}{last}")
    width = max(len(step_title(step)) for step in facts["steps"]) if facts["steps"] else 0
    for step in facts["steps"]:
        title, n = step_title(step), step["sites"]
        there = "" if step["state"] == "done" else " done"
        sites = f"{n:>8,} {by_number(n, 'site', 'sites')}{there}" if n else ""
        print(f"  {title:<{width}} {step['state']:<10} {sites}".rstrip())
        if step["state"] == "running" and facts["progress"]["total"]:
            print(f"    {how_far(facts['progress'])}")
    for line in shard_lines(facts["shards"]):
        print(f"  {line}")
    aside = set_aside_said(RunFolder(run))
    print(f"  set aside: {aside}{' (quarantine.csv)' if aside != 'nothing' else ''}")


def shard_lines(shards: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each state of shards whose work is not merged yet."""
    states: dict[str, list[str]] = {}
    for one in shards:
        states.setdefault(str(one["status"]), []).append(str(one["shard"]))
    return [
        f"{counted(len(names), 'shards')} {state}: {', '.join(names)}"
        for state, names in states.items()
    ]


def how_far(progress: Mapping[str, Any]) -> str:
    """One line on the running step: how much is done, at what rate, how long it will take."""
    done, total, unit = progress["done"], progress["total"], progress["unit"]
    parts = [f"{done:,} of {counted(total, f'{unit}s')}" if unit else f"{done / total:.0%}"]
    # Of what has no unit, such as the batches of several trainings, people know only the share.
    if unit and progress["rate"]:
        parts.append(f"{progress['rate']:.2g} per second")
    if progress["seconds_left"] is not None:
        parts.append(f"{clock(progress['seconds_left'])} left")
    return " · ".join([*parts, *([progress["note"]] if progress["note"] else [])])
