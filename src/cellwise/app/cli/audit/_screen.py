"""What an audit says, as lines of a screen."""

from typing import Any

from cellwise.domain.plain_words import BEYOND_BOUNDS, counted

_LINES = 8


def screen(found: dict[str, Any]) -> list[str]:
    """The lines of what `app.audit.audit_run` found."""
    return [*_taken(found["taken"]), *_inherited(found), *sets_lines(found["sets"])]


def _taken(taken: dict[str, Any] | None) -> list[str]:
    if taken is None:
        return []
    words = [counted(taken["verdicts"], "verdicts"), counted(taken["cells"], "cells")]
    lines = [f"taken: {' on '.join(words)}"]
    if twice := taken["contradicting_themselves"]:
        lines.append(f"  {twice:,} times one person says two things of a cell: taken as unsure")
    if gone := taken["cells_not_found"]:
        more = ", ..." if len(gone) > _LINES else ""
        lines.append(
            f"  not there: {counted(len(gone), 'cells')}: {', '.join(gone[:_LINES])}{more}"
        )
    return lines


def _inherited(found: dict[str, Any]) -> list[str]:
    """What is known of labels that cells inherit; nothing where no field has any."""
    if "classes" not in found:
        return []
    lines = [f"{counted(found['cells'], 'cells')} of {counted(found['fields'], 'labelled_fields')}"]
    if copies := found.get("copies_left_out"):
        lines.append(f"without {counted(copies, 'fields')} that show the same as others")
    if found["drawn"]:
        lines.append(f"{found['judged']:,} of {found['drawn']:,} cells drawn at random were judged")
    nowhere = [one["class"] for one in found["classes"] if _nowhere(one)]
    for one in (one for one in found["classes"] if not _nowhere(one)):
        lines.append("")
        lines.append(
            f"{one['class']}: {counted(one['inherited'], 'cells')} inherit it in "
            f"{counted(one['fields'], 'fields')}"
        )
        lines.append(
            f"  false by field labels alone: at least {one['false_at_least']:,} (2), at most "
            f"{one['false_at_most']:,} (1)"
        )
        if one["false"] is not None:
            lines.append(
                f"  of inherited, false   {_share(one['false'], _of(one['false'], 'false'))}"
            )
            lines.append(
                f"  of shown, missed      {_share(one['missed'], _of(one['missed'], 'missed'))}"
            )
        if one["beyond"]:
            lines.append(f"  false: {BEYOND_BOUNDS[one['beyond']]}")
    lines += [
        "",
        *([f"No field has, and no judged cell shows: {', '.join(nowhere)}", ""] if nowhere else []),
        "(1) if each label of a field is shown by one of its cells at least",
        "(2) if each cell also shows one class only",
        "Of missed cells field labels say nothing.",
    ]
    if found["drawn"] and any(one["false"] is None for one in found["classes"]):
        lines.append("Shares need more judged cells: go on from the top of annotations/draw.csv")
    elif not found["drawn"]:
        lines.append("Shares need cells drawn at random and judged: cellwise audit RUN --draw 200")
    else:
        lines.append("Shares with 90 % intervals, if cells left out as unsure are like the others.")
    return [*lines, *_to_look_at(found)]


def sets_lines(sets: dict[str, Any]) -> list[str]:
    """What is promised of the cells of new fields."""
    new, promised = sets["new"], f"{100 * (1 - sets['error']):.0f} %"
    if new is None:
        return [
            "",
            "Prediction sets need cells of new fields: cellwise audit RUN --draw 1000 --new",
        ]
    lines = ["", f"{new['judged']:,} of {new['drawn']:,} cells drawn from new fields were judged"]
    if not new["promise"]:
        return [*lines, f"no promise of prediction sets: {new['why']}"]
    held = [one for one in new["classes"] if one["may"] is not None]
    some = len(held) < len(new["classes"])
    of = f" of {len(held)} of {counted(len(new['classes']), 'classes')}" if some else ""
    lines.append(
        f"Prediction sets: {promised} of what cells of such fields show{of} is in their sets"
    )
    if some:
        shown = sum(one["shown"] for one in new["classes"])
        lines.append(
            f"  {new['covered']['judged']:,} of {shown:,} shown by judged cells are of these "
            "classes; no set holds the others"
        )
    lines.append(
        f"  measured on other groups {_share(new['covered'], _of_shown(new['covered']))}, "
        f"as good as {new['effective']:.0f} cells; {new['size']:.1f} classes in a set"
    )
    for one in new["classes"]:
        if one["may"] is None:
            lines.append(f"  {one['class']}: no promise, {one['why']} ({one['shown']})")
            continue
        sure = "" if one["surely"] is None else f", surely from {one['surely']:.3f}"
        lines.append(
            f"  {one['class']}: may show it from {one['may']:.3f}{sure}; "
            f"{_share(one['covered'], _of_shown(one['covered']))}"
        )
    lines.append("'surely': of such cells at most a tenth does not show it, 19 times of 20.")
    return lines


def _nowhere(one: dict[str, Any]) -> bool:
    """Whether there is nothing to say of a class."""
    return not one["inherited"] and not (one["missed"] and one["missed"]["seen"])


def _share(share: dict[str, Any], count: str) -> str:
    value = "unknown" if share["value"] is None else f"{share['value']:.3f}"
    return f"{value} [{share['low']:.3f}, {share['high']:.3f}]  ({count})"


def _of(share: dict[str, Any], what: str) -> str:
    return f"{share['seen']} {what} among {share['judged']} judged"


def _of_shown(share: dict[str, Any]) -> str:
    return f"{share['seen']} of {share['judged']} shown"


def _to_look_at(found: dict[str, Any]) -> list[str]:
    lines = ["", "Labels that the cells of their field support least:"]
    for one in found["suspicious_fields"][:_LINES]:
        lines.append(
            f"  {one['site_id']}  {one['class']}  mean probability {one['mean_probability']:.2f} "
            f"of {counted(one['cells'], 'cells')}"
        )
    lines += ["", "Cells that seem to show a class that their field lacks:"]
    for one in found["suspicious_cells"][:_LINES]:
        lines.append(
            f"  {one['site_id']} cell {one['cell_id']}  {one['class']}  {one['probability']:.2f}"
        )
    return lines
