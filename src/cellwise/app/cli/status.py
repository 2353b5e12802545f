"""`cellwise status`: what is done, running and set aside; safe while the run is under way."""

import json

import typer

from cellwise.app.cli.terminal.options import AsJson, RunPath
from cellwise.app.status import run_status


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("status", help="What is done, running and set aside.")(status)


def status(run: RunPath, as_json: AsJson = False) -> None:
    """What is done, running and set aside."""
    facts = run_status(run)
    if as_json:
        print(json.dumps(facts, indent=1, sort_keys=True))
        return
    print(f"{run}: {facts['status']}, recipe {facts['recipe']}, started {facts['started']}")
    for step in facts["steps"]:
        title = step["name"] if step["name"] == step["kind"] else f"{step['kind']} {step['name']}"
        sites = f"{step['sites']:>8,} sites on record" if step["sites"] else ""
        print(f"  {title:<18} {step['state']:<10} {sites}".rstrip())
    print(f"  set aside: {facts['quarantined']} (quarantine.csv)")
