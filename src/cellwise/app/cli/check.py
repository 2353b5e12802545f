"""`cellwise check`: a read-only look at a folder, on one screen."""

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cellwise.app.cli.terminal.options import AsJson, Labels, Layout, Pattern, Settings
from cellwise.errors import PreflightError

_SHOWN = 8


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("check", help="Read-only look: what is understood, what is wrong, the cost.")(check)


def check(
    folder: Annotated[Path, typer.Argument(help="Folder of images, or a submission file.")],
    labels: Labels = None,
    full: Annotated[bool, typer.Option("--full", help="Decode every image.")] = False,
    as_json: AsJson = False,
    layout: Layout = "",
    pattern: Pattern = "",
    settings: Settings = None,
) -> None:
    """A read-only look at a folder."""
    from cellwise.app.check import check_path
    from cellwise.flow.recipe.resolve import parse_setting
    from cellwise.flow.request import settings_of

    options = settings_of(layout=layout, pattern=pattern)
    options |= dict(parse_setting(text) for text in settings or ())
    facts = check_path(folder, labels=labels, settings=options, full=full)
    if as_json:
        print(json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True))
    else:
        lines = submission_screen(facts) if "kind" in facts else screen(facts)
        if "kind" not in facts and facts["exit_code"] != PreflightError.exit_code:
            words = {"--labels": labels, "--layout": layout, "--pattern": pattern}
            given = [(word, str(value)) for word, value in words.items() if value]
            given += [("--set", text) for text in settings or ()]
            lines.append(("Next", run_command(folder, given)))
        for name, text in lines:
            print(f"{name:<12}{text}")
    raise typer.Exit(facts["exit_code"])


def screen(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The lines of the screen as heading and text."""
    counts, images = facts["counts"], facts["images"]
    channels = "   ".join(f"{c['name']} → {c['role'] or '?'}" for c in facts["channels"])
    lines = [
        ("Layout", _layout(facts)),
        ("Channels", channels),
        (
            "Images",
            f"{counts['sites']:,} sites × {len(facts['channels'])} channels, "
            f"{_list(images['dtypes'])}, {_list(images['sizes'])} px, {_pixel_size(images)}",
        ),
    ]
    lines += _problem_lines(facts)
    lines += _label_lines(facts)
    lines += [("Note", note) for note in facts["notes"]]
    lines += [("Refused", f"{one['reason']} {one['remedy']}") for one in facts["refused"]]
    lines += _cost_lines(facts)
    lines.append(("Recipe", f"{facts['recipe']} ({facts['recipe_because']})"))
    return lines


def run_command(folder: Path, given: Sequence[tuple[str, str]]) -> str:
    """The command that runs what was looked at, ready to be pasted into a shell.

    Args:
        folder: The folder of images.
        given: Further options as they were given, each with its value.
    """
    home = folder.resolve()
    out = Path(f"{home.name or 'images'}.run")
    if home in out.resolve().parents:
        # A run does not lie inside its images.
        out = home.with_name(out.name)
    words = [word for pair in given for word in pair]
    return shlex.join(["cellwise", "run", str(folder), "--out", str(out), *words])


def submission_screen(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The lines about a submission file as heading and text."""
    hpa = facts["kind"] == "hpa"
    rows = f"{facts['rows']:,} {'fields' if hpa else 'wells'}"
    if hpa:
        rows += f" ({facts['rows_without_predictions']:,} of them empty)"
        rows += f", {facts['predictions']:,} predictions, {facts['masks']:,} masks"
    used = [name for name, count in facts["classes"].items() if count]
    lines = [
        ("Submission", f"{'HPA 2021' if hpa else 'RxRx1'}, {rows}"),
        ("Classes", f"{len(used)}: {', '.join(used[:_SHOWN])}{'...' * (len(used) > _SHOWN)}"),
    ]
    problems = facts["problems"]
    if not problems:
        return [*lines, ("Problems", "none (every row read, every mask decoded)")]
    codes = Counter(problem["code"] for problem in problems)
    lines.append(("Problems", ", ".join(f"{n} {code}" for code, n in sorted(codes.items()))))
    lines += [("", f"line {p['line']}: {p['id']}: {p['reason']}") for p in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(("", f"... and {len(problems) - _SHOWN} more (--json lists all)"))
    return lines


def _layout(facts: dict[str, Any]) -> str:
    counts = facts["counts"]
    text = str(facts["layout"])
    if counts.get("wells"):
        text += f", {counts['wells']} wells"
    if counts.get("plates"):
        text += f" on {counts['plates']} plate{'s' if counts['plates'] > 1 else ''}"
    ignored = sum(counts.get("ignored_files", {}).values())
    return text + (f", {ignored} files in mask or label folders passed over" if ignored else "")


def _problem_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    problems = facts["problems"] + facts["decoded"]["faults"]
    decoded = facts["decoded"]
    what = "all" if decoded["all"] else f"{decoded['sites']} sample"
    if not problems:
        return [("Problems", f"none (headers of all files, pixels of {what} sites)")]
    codes = Counter(problem["code"] for problem in problems)
    lines = [("Problems", ", ".join(f"{n} {code}" for code, n in sorted(codes.items())))]
    for problem in problems[:_SHOWN]:
        aside = "set aside" if problem.get("set_aside", True) else "noted"
        lines.append(("", f"{aside}: {problem['path']}: {problem['reason']} {problem['remedy']}"))
    if len(problems) > _SHOWN:
        lines.append(("", f"... and {len(problems) - _SHOWN} more (--json lists all)"))
    return lines


def _label_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    labels = facts["labels"]
    if labels is None:
        return [("Labels", "none: give them with --labels CSV, or segment only")]
    classes = ", ".join(f"{name} {count}" for name, count in list(labels["classes"].items())[:8])
    more = f" ... {len(labels['classes'])} classes" if len(labels["classes"]) > 8 else ""
    return [
        (
            "Labels",
            f"{labels['labelled']} sites labelled, {labels['unlabelled']} not; {classes}{more}",
        )
    ]


def _cost_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    cost = facts["cost"]
    if cost is None:
        return []
    seconds, disk = cost["segmentation_cpu_seconds"], cost["disk_bytes"] / 1e9
    return [
        (
            "Cost",
            f"about {cost['cells']:,} cells; segmentation {seconds:,.0f} s of one core; "
            f"{disk:.2f} GB of {cost['free_bytes'] / 1e9:.0f} GB free "
            f"(from site {cost['sampled_site']})",
        )
    ]


def _list(counts: dict[str, int]) -> str:
    return ", ".join(counts) or "unknown"


def _pixel_size(images: dict[str, Any]) -> str:
    sizes = images["pixel_sizes"]
    return f"{', '.join(f'{s:.3g}' for s in sizes)} µm/px" if sizes else "pixel size unknown"
