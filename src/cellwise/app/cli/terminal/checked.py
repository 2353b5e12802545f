"""The screen of `cellwise check`: lines of a heading and a text, as few as say it all."""

from collections.abc import Iterable, Mapping, Sequence
from shlex import quote
from typing import Any

from cellwise.domain.classes import FEWEST_JUDGED
from cellwise.domain.plain_words import counted, problems_said

_SHOWN = 6
_CLASSES = 12
_MINUTE, _HOUR = 60, 3600
_SLOW = 90

Line = tuple[str, str]


def screen(facts: Mapping[str, Any]) -> list[Line]:
    """The lines about a folder; the command that follows is no part of them."""
    counts, images = facts["counts"], facts["images"]
    channels = "   ".join(f"{c['name']} → {c['role'] or '?'}" for c in facts["channels"])
    lines = [
        *_copy_line(facts),
        ("Layout", _layout(facts)),
        ("Channels", channels),
        *_roleless_line(facts),
        (
            "Images",
            f"{counted(counts['sites'], 'fields')} × "
            f"{counted(len(facts['channels']), 'channels')}, "
            f"{_list(images['dtypes'])}, {_list(images['sizes'])} px, {_pixel_size(images)}",
        ),
    ]
    lines += [("Scale", _scale(*pair)) for pair in facts["scales"].items()]
    lines += _problem_lines(facts)
    lines += _label_lines(facts)
    lines += _some([("Note", note) for note in facts["notes"]], "notes")
    lines += _some([("Warning", warning) for warning in facts["warnings"]], "warnings")
    if facts["refused"]:
        return lines + [
            ("Refused", f"{one['reason']} {one['remedy']}".strip()) for one in facts["refused"]
        ]
    lines.append(("Recipe", f"{facts['recipe']} ({facts['recipe_because']})"))
    lines += [("", text) for text in facts["settled"]]
    return lines + _cost_lines(facts["cost"])


def _roleless_line(facts: Mapping[str, Any]) -> list[Line]:
    """How to say the role of a channel that is shown with a question mark."""
    names = [channel["name"] for channel in facts["channels"] if not channel["role"]]
    if not names:
        return []
    word = quote(f"read.roles.{names[0]}=protein")
    return [("", f"? is a channel whose role is not known; to name it: --set {word}")]


def _copy_line(facts: Mapping[str, Any]) -> list[Line]:
    """Where images come from that were copied first."""
    copy = facts.get("copy")
    if not copy:
        return []
    size = f"{counted(copy['files'], 'files')}, {copy['bytes'] / 1e6:,.1f} MB"
    return [("Images of", f"{facts['folder']}, {size}"), ("", f"copied to {copy['in']}")]


def submission_screen(facts: Mapping[str, Any]) -> list[Line]:
    """The lines about a submission file."""
    hpa = facts["kind"] == "hpa"
    rows = counted(facts["rows"], "fields" if hpa else "wells")
    if hpa:
        rows += f" ({facts['rows_without_predictions']:,} of them empty)"
        rows += (
            f", {counted(facts['predictions'], 'predictions')}, {counted(facts['masks'], 'masks')}"
        )
    used = [name for name, count in facts["classes"].items() if count]
    shown = f"{', '.join(used[:_SHOWN])}{'...' * (len(used) > _SHOWN)}"
    lines = [
        ("Submission", f"{'HPA 2021' if hpa else 'RxRx1'}, {rows}"),
        ("Classes", f"{len(used)}: {shown}"),
        *_overlap_lines(facts.get("overlaps", ())),
        *[("Warning", text) for text in facts["warnings"]],
    ]
    problems = facts["problems"]
    if not problems:
        checked = "every row read, every mask decoded" if hpa else "every row read"
        if facts.get("against"):
            checked += f", no row missing or too much beside {facts['against']}"
        return [*lines, ("Problems", f"none ({checked})")]
    lines.append(("Problems", _codes(problems)))
    return lines + _some(
        [("", ": ".join(filter(None, (_line_said(p), p["id"], p["reason"])))) for p in problems],
        "problems",
    )


def _line_said(problem: Mapping[str, Any]) -> str:
    """Where a problem stands; nothing of a row that is not there."""
    return f"line {problem['line']}" if problem["line"] else ""


def _overlap_lines(overlaps: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Fields whose masks overlap: the challenge takes them, cells of one image do not."""
    if not overlaps:
        return []
    texts = [
        f"line {one['line']}: {one['id']}: {one['masks']} masks share "
        f"{counted(one['pixels'], 'pixels')}, such as the masks {one['first']} and {one['second']}"
        for one in overlaps
    ]
    lines = [("Warning", f"masks overlap in {counted(len(overlaps), 'fields')}")]
    return lines + _some([("", text) for text in texts], "fields")


def duration(seconds: float) -> str:
    """A time as a person says it: `40 s`, `12 min`, `3.5 h`."""
    if seconds < _SLOW:
        return f"{max(1, round(seconds))} s"
    if seconds < _SLOW * _MINUTE:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:,.1f} h"


def _layout(facts: Mapping[str, Any]) -> str:
    counts = facts["counts"]
    text = str(facts["layout"])
    if counts.get("wells"):
        text += f", {counted(counts['wells'], 'wells')}"
    if counts.get("plates"):
        text += f" on {counted(counts['plates'], 'plates')}"
    ignored = sum(counts.get("ignored_files", {}).values())
    passed = f", {counted(ignored, 'files')} in mask or label folders skipped"
    return text + (passed if ignored else "")


def _scale(channel: str, facts: Mapping[str, Any]) -> str:
    """`dna: uint16, 98 to 3901 in 8 images looked at; 65535 becomes 1.0`."""
    text = f"{channel}: {_list(facts['stored'])}"
    if facts["sampled"]:
        seen = f"{facts['low']:.6g} to {facts['high']:.6g}"
        text += f", {seen} in {counted(facts['sampled'], 'images')} looked at"
    words = {"type": "the top of each number type becomes 1.0", "each": "each image by itself"}
    scale = facts["scale"].split()[-1]
    zero, _, one = scale.rpartition("..")
    black = "" if zero in ("", "0") else f"{zero} becomes 0.0, "
    return f"{text}; {words.get(scale) or f'{black}{one} becomes 1.0'}"


def _problem_lines(facts: Mapping[str, Any]) -> list[Line]:
    problems = facts["problems"] + facts["decoded"]["faults"]
    decoded = facts["decoded"]
    what = "all fields" if decoded["all"] else f"{counted(decoded['sites'], 'fields')} as a sample"
    if not problems:
        return [("Problems", f"none (headers of all files, pixels of {what})")]
    lines = [
        (
            "",
            f"{'set aside' if problem.get('set_aside', True) else 'noted'}: "
            f"{_problem_said(problem)} {problem['remedy']}".rstrip(),
        )
        for problem in problems
    ]
    return [("Problems", _codes(problems)), *_some(lines, "problems")]


def _problem_said(problem: Mapping[str, Any]) -> str:
    """Where and what, the name once where the reason begins with it."""
    path, reason = problem["path"], problem["reason"]
    return reason if path == "." or reason.startswith(f"{path}: ") else f"{path}: {reason}"


def _label_lines(facts: Mapping[str, Any]) -> list[Line]:
    labels = facts["labels"]
    if labels is None:
        return [("Labels", "none: give them with --labels CSV, or segment only")]
    if not labels["classes"]:
        return [("Labels", f"{labels['file']} cannot be used (see Refused)")]
    said = f"{counted(labels['labelled'], 'fields')} labelled, {labels['unlabelled']} not"
    judged = {row["name"]: row for row in labels["enough"]}
    if not judged:
        names = [f"{name} {count}" for name, count in labels["classes"].items()]
        more = f" ... {len(names)} classes" if len(names) > _CLASSES else ""
        return [("Labels", f"{said}; {', '.join(names[:_CLASSES])}{more}")]
    # The rarest first: they decide.
    order = ("enough", "groups", "fields", "name")
    rows = sorted(judged.values(), key=lambda row: tuple(row[fact] for fact in order))
    width = min(44, max(len(row["name"]) for row in rows[:_CLASSES]))
    lines = [
        (
            "",
            f"{row['name']:<{width}}  {counted(row['fields'], 'fields'):>10}  {_judged(row)}",
        )
        for row in rows
    ]
    more = f"... and {counted(len(rows) - _CLASSES, 'more classes')} with as many fields or more"
    rest = [("", more)] if len(rows) > _CLASSES else []
    return [("Labels", said), *lines[:_CLASSES], *rest]


def _judged(row: Mapping[str, Any]) -> str:
    """Whether a class has as many fields as it takes to learn and to test it."""
    if row["groups"] < row["needed"]:
        return "too few" if row["fields"] < row["needed"] else "too few, all in one group"
    if not row["enough"]:
        return f"too few without it ({row['others']})"
    few = min(row["fields"], row["others"]) < FEWEST_JUDGED
    least = f"{FEWEST_JUDGED} with it and {FEWEST_JUDGED} without"
    return f"enough to learn; the report judges from {least}" if few else "enough"


def _cost_lines(cost: Mapping[str, Any] | None) -> list[Line]:
    if cost is None:
        return []
    steps = ", ".join(
        f"{name} {duration(s)}" for name, s in cost["cpu_seconds_per_step"].items() if s >= 1
    )
    disk, free = cost["disk_bytes"] / 1e9, cost["free_bytes"] / 1e9
    return [
        (
            "Cost",
            f"about {counted(cost['cells'], 'cells')}; {duration(cost['cpu_seconds'])} of one "
            f"core, {duration(cost['wall_seconds'])} with {counted(cost['workers'], 'workers')}; "
            f"{disk:.2f} GB of {free:.0f} GB free",
        ),
        ("", f"in seconds of one core: {steps or 'less than a second each'}"),
    ]


def _some(lines: list[Line], what: str) -> list[Line]:
    if len(lines) <= _SHOWN:
        return lines
    rest = counted(len(lines) - _SHOWN, f"more {what}")
    return [*lines[:_SHOWN], ("", f"... and {rest} (--json has all)")]


def _codes(problems: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(problems_said(problem["code"] for problem in problems))


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(counts) or "unknown"


def _pixel_size(images: Mapping[str, Any]) -> str:
    sizes = images["pixel_sizes"]
    return f"{', '.join(f'{s:.3g}' for s in sizes)} µm/px" if sizes else "pixel size unknown"
