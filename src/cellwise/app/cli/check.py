"""`cellwise check`: a read-only look at a folder, on one screen, and the command that follows."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cellwise.app.cli.terminal.checked import screen, submission_screen
from cellwise.app.cli.terminal.options import (
    EXIT_CODES,
    AsJson,
    Cache,
    Folder,
    Labels,
    Layout,
    Masks,
    NextOut,
    Pattern,
    RecipeName,
    Settings,
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "check",
        help="Read-only look: what is understood, what is wrong, what a run does and costs.",
        epilog=EXIT_CODES,
    )(check)


def check(
    folder: Folder,
    labels: Labels = None,
    recipe: RecipeName = "",
    full: Annotated[bool, typer.Option("--full", help="Decode every image.")] = False,
    as_json: AsJson = False,
    settings: Settings = None,
    masks: Masks = None,
    cache: Cache = "",
    layout: Layout = "",
    pattern: Pattern = "",
    against: Annotated[
        Path | None,
        typer.Option("--against", help="With a submission: list of ids, test folder, or run."),
    ] = None,
    out: NextOut = None,
) -> None:
    """A read-only look at a folder, or at a submission file."""
    from cellwise.app.check import check_path
    from cellwise.app.cli.terminal.inputs import inputs_of_words
    from cellwise.app.cli.terminal.screen import Progress
    from cellwise.flow.recipe.resolve import parse_setting
    from cellwise.flow.request import settings_of
    from cellwise.store.objects.mirror import copy_facts

    with inputs_of_words(folder, labels=labels, masks=masks, cache=cache) as given:
        options = settings_of(masks=given.masks, layout=layout, pattern=pattern)
        options |= dict(parse_setting(text) for text in settings or ())
        with Progress("check", unit="") as progress:
            facts = check_path(
                given.folder,
                labels=given.labels,
                settings=options,
                recipe=recipe or None,
                full=full,
                report=progress,
                against=against,
            )
    words = {
        "--labels": labels,
        "--recipe": recipe,
        "--masks": masks,
        "--cache": cache,
        "--layout": layout,
        "--pattern": pattern,
    }
    said = [(word, str(value)) for word, value in words.items() if value]
    said += [("--set", text) for text in settings or ()]
    if given.elsewhere:
        facts |= {"folder": folder, "copy": copy_facts(given.folder) | {"in": str(given.folder)}}
        out = out or _free(Path(given.name))
    cures = _add_command(facts, folder if given.elsewhere else Path(folder), said, out=out)
    if as_json:
        print(json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True))
    else:
        _show(facts, cures)
    raise typer.Exit(facts["exit_code"])


def _add_command(
    facts: dict[str, Any], folder: Path | str, said: list[tuple[str, str]], *, out: Path | None
) -> list[str]:
    """Add the command that follows; returns the settings that it cures a refusal with."""
    if "kind" in facts:
        return []
    if not facts["refused"]:
        if facts["counts"]["sites_usable"]:
            facts["command"] = run_command(folder, said, out=out)
        return []
    cures = [one["settings"][0] for one in facts["refused"] if one["settings"]]
    if cures:
        facts["command_after_refusal"] = check_command(
            folder, [*said, *(("--set", text) for text in cures)]
        )
    return cures


def _show(facts: dict[str, Any], cures: Sequence[str]) -> None:
    for name, text in submission_screen(facts) if "kind" in facts else screen(facts):
        print(f"{name:<12}{text}")
    if "command" in facts:
        # By itself, so that the whole line can be pasted.
        print(facts["command"])
    elif "command_after_refusal" in facts:
        print(f"{'Next':<12}with {', '.join(cures)}, if that is right:")
        print(facts["command_after_refusal"])


def run_command(
    folder: Path | str, given: Sequence[tuple[str, str]], *, out: Path | None = None
) -> str:
    """The command that runs what was looked at, ready to be pasted into a shell.

    Args:
        folder: The folder of images, or the zip file or address that they come from.
        given: Further options as they were given, each with its value.
        out: The run folder; None for one beside the images or here that is not there yet.
    """
    words = [word for pair in given for word in pair]
    place = str(out or _free(Path(folder)))
    return shlex.join(["cellwise", "run", _path(folder), "--out", place, *words])


def check_command(folder: Path | str, given: Sequence[tuple[str, str]]) -> str:
    """The command that looks again with these options, ready to be pasted into a shell."""
    return shlex.join(["cellwise", "check", _path(folder), *(w for pair in given for w in pair)])


def _free(folder: Path) -> Path:
    """A run folder of the images' name that is not there yet: another run would be gone on with."""
    home = folder.resolve()
    name = home.name or "images"
    # A run does not lie inside its images.
    inside = home in Path(f"{name}.run").resolve().parents
    here = home.parent if inside else Path()
    number = 1
    while (found := here / f"{name}{'' if number == 1 else f'-{number}'}.run").exists():
        number += 1
    return found


def _path(folder: Path | str) -> str:
    """A name that begins with a dash would be taken for an option."""
    text = str(folder)
    return f"./{text}" if text.startswith("-") else text
