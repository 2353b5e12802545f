"""What an audit says, as lines of a screen."""

from typing import Any

_LINES = 8


def screen(found: dict[str, Any]) -> list[str]:
    """The lines of what `app.audit.audit_run` found."""
    taken = found["taken"]
    lines = [f"{found['cells']:,} cells of {found['fields']:,} labelled fields"]
    if taken is not None:
        lines.append(f"taken: {taken['verdicts']:,} verdicts")
    if taken is not None and (gone := taken["cells_not_found"]):
        lines.append(f"  {len(gone)} cells are not there: {', '.join(gone[:_LINES])}")
    lines.append(f"{found['judged']:,} of {found['drawn']:,} cells drawn at random were judged")
    nowhere = [one["class"] for one in found["classes"] if _nowhere(one)]
    for one in (one for one in found["classes"] if not _nowhere(one)):
        lines.append("")
        lines.append(
            f"{one['class']}: {one['inherited']:,} cells inherit it in {one['fields']:,} fields"
        )
        lines.append(
            f"  false by field labels alone: at least {one['false_at_least']:,} (2), at most "
            f"{one['false_at_most']:,} (1)"
        )
        if one["false"] is not None:
            lines.append(f"  of inherited, false   {_share(one['false'])}")
            lines.append(f"  of shown, missed      {_share(one['missed'])}")
    lines += [
        "",
        *([f"No field has, and no judged cell shows: {', '.join(nowhere)}", ""] if nowhere else []),
        "(1) if each label of a field is shown by one of its cells at least",
        "(2) if each cell also shows one class only",
        "Of missed cells field labels say nothing.",
    ]
    if any(one["false"] is None for one in found["classes"]):
        lines.append("Shares need cells drawn at random and judged: cellwise audit RUN --draw 200")
    else:
        lines.append("Shares with 90 % intervals, if cells left out as unsure are like the others.")
    return [*lines, *_to_look_at(found)]


def _nowhere(one: dict[str, Any]) -> bool:
    """Whether there is nothing to say of a class."""
    return not one["inherited"] and not (one["missed"] and one["missed"]["seen"])


def _share(share: dict[str, Any]) -> str:
    value = "unknown" if share["value"] is None else f"{share['value']:.3f}"
    ends = f"[{share['low']:.3f}, {share['high']:.3f}]"
    return f"{value} {ends}  ({share['seen']} of {share['judged']} judged)"


def _to_look_at(found: dict[str, Any]) -> list[str]:
    lines = ["", "Labels that the cells of their field support least:"]
    for one in found["suspicious_fields"][:_LINES]:
        lines.append(
            f"  {one['site_id']}  {one['class']}  mean probability {one['mean_probability']:.2f} "
            f"of {one['cells']} cells"
        )
    lines += ["", "Cells that seem to show a class that their field lacks:"]
    for one in found["suspicious_cells"][:_LINES]:
        lines.append(
            f"  {one['site_id']} cell {one['cell_id']}  {one['class']}  {one['probability']:.2f}"
        )
    return lines
