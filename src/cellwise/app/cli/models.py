"""`cellwise models`: the model files of a run, with their hashes."""

from pathlib import Path
from typing import Annotated

import typer

from cellwise.app.cli.options import RunPath
from cellwise.errors import PreflightError, UsageError
from cellwise.store.run_folder import RunFolder


def register(app: typer.Typer) -> None:
    """Add the verb with its sub-verbs."""
    group = typer.Typer(help="Model files with hashes.", no_args_is_help=True)
    group.command("list", help="The models of a run.")(list_models)
    group.command("verify", help="Compare the models of a run with their recorded hashes.")(verify)
    group.command("path", help="Where the models of a run lie.")(path)
    group.command("pull", help="Not in this release: no published models yet.")(pull)
    group.command("convert", help="Not in this release: conversion of published files.")(convert)
    app.add_typer(group, name="models")


def list_models(run: RunPath) -> None:
    """The models of a run."""
    from cellwise.store.run_folder import read_json

    for folder in _folders(run):
        card = read_json(folder / "model.json")
        classes = ", ".join(card["classes"])
        print(f"{folder.parent.name}/{folder.name}  {card['sha256'][:12]}  {classes}")


def verify(run: RunPath) -> None:
    """Compare the models of a run with their recorded hashes."""
    from cellwise.store.models import verify_model

    for folder in _folders(run):
        verify_model(folder)
        print(f"{folder.parent.name}/{folder.name}  ok")


def path(run: RunPath) -> None:
    """Where the models of a run lie."""
    for folder in _folders(run):
        print(folder)


def pull(name: Annotated[str, typer.Argument(help="Model name.")] = "") -> None:
    """Published models."""
    raise UsageError("`cellwise models pull` (published models) comes with a later release.")


def convert(file: Annotated[Path | None, typer.Argument(help="Weights file.")] = None) -> None:
    """Conversion of published weights."""
    raise UsageError("`cellwise models convert` comes with a later release.")


def _folders(run: Path) -> list[Path]:
    folders = sorted(p.parent for p in (RunFolder(run).path / "models").glob("*/*/model.json"))
    if not folders:
        raise PreflightError(f"{run} holds no models.")
    return folders
