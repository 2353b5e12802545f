"""Whether cells were judged by the label sets of other fields, and what that changed."""

from typing import Any

from cellwise.stages.report.drawing.svg import short
from cellwise.stages.report.material import Material


def points(material: Material) -> list[tuple[str, str]]:
    """One sentence for the verdict; none where no adjustment asked for label sets."""
    sets: dict[str, Any] = (material.decisions.get("decide") or {}).get("sets") or {}
    if "used" not in sets:
        return []
    gain = sets["gain"]
    said = (
        "too few labelled groups tell which labels go together"
        if gain is None
        else f"label sets of other groups foretell a group's labels by {short(gain)} nats "
        f"{'better' if gain > 0 else '(no better)'} than frequencies do"
    )
    on = bool(sets["used"])
    words = f"Context of label sets is {'on' if on else 'off'}: {said}.{_figures(sets)}"
    # Whatever the gain, cells look more like known fields by it.
    return [("care" if on else "good", words)]


def _figures(sets: dict[str, Any]) -> str:
    found = sets.get("labelled")
    if not found:
        return ""
    change = found["difference"]
    return (
        f" Labelled fields, out of fold: macro average precision {short(found['without']['value'])}"
        f" without, {short(found['with']['value'])} with (difference {short(change['value'])}, "
        f"95 % interval {short(change['low'])} to {short(change['high'])}; "
        f"n = {found['fields']} fields)."
    )
