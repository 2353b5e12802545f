"""What cells of labelled fields were taken to show before models learned of it, and how sure."""

from typing import Any

from cellwise.stages.report.material import Material

# Cells that are named, at most.
_NAMED = 5
_UNHEARD = {
    "contradicted": "verdicts in which people contradict each other",
    "unsure": "verdicts by people who were not sure",
    "verdicts_of_cells_without_field_label": "verdicts on cells of fields without a label",
    "cells_not_found": "cells that are not there today",
}

_WORDS = {
    "inherit": "the field's labels as they are",
    "soft_ratio": "nearness to the field's best cell",
    "ratio_competing": "nearness to the field's best cell, labels competing",
    "full_competition": "nearness to the field's best cell, labels competing fully",
    "learned_competition": "nearness to the field's best cell, labels competing as far as it helps",
    "one_state": "one class per cell",
    "soft": "what models that had not seen the field said of the cell",
    "progressive": "of unlabelled fields, the cells that show each class most",
    "threshold": "one class where its score passes a threshold",
    "mixture": "what fields without the class never look like",
    "hedge": "several methods as one",
    "diffusion": "what the cells that look most alike were given",
    "spectral": "labels made alike among cells that look alike",
    "one_label": "one class for cells that look alike",
}


def was_learned(material: Material) -> bool:
    """Whether a step labelled cells by what other cells show, or by what people saw."""
    return bool(_steps(material))


def context(material: Material) -> dict[str, Any]:
    """Methods, what they were worth on groups left out, and per class what cells show."""
    steps = _steps(material)
    found = [_step(step["name"], step["counts"]) for step in steps]
    if not found:
        return {"empty": "Cells were taken to show what their field's labels say."}
    return {"steps": found, "several": len(found) > 1, "cycles": _cycles(steps)}


def _steps(material: Material) -> list[dict[str, Any]]:
    steps = material.record.get("steps") or []
    return [s for s in steps if s.get("kind") == "label" and _told(s.get("counts") or {})]


def _told(counts: dict[str, Any]) -> bool:
    return bool(counts.get("method")) or any(counts.get(kind) for kind in ("by_hand", *_UNHEARD))


def _cycles(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Cells of each class that steps labelled one by one, step beside step; empty without such."""
    cycles = [cycle for step in steps for cycle in _cycles_of(step["name"], step["counts"])]
    if not cycles:
        return {}
    classes = list(dict.fromkeys(name for cycle in cycles for name in cycle["of_class"]))
    rows = [(name, [cycle["of_class"].get(name, 0) for cycle in cycles]) for name in classes]
    return {
        "names": [cycle["name"] for cycle in cycles],
        "classes": rows,
        "labelled": [cycle["labelled"] for cycle in cycles],
        "unassigned": [cycle["unassigned"] for cycle in cycles],
        "never": [name for name, cells in rows if not cells[-1]],
    }


def _cycles_of(name: str, counts: dict[str, Any]) -> list[dict[str, Any]]:
    """What a step says of cycles: one of threshold labels, or the rounds on unlabelled fields."""
    if "labelled_of_class" in counts:
        return [
            {
                "name": name,
                "of_class": counts["labelled_of_class"],
                "labelled": int(counts["labelled"]),
                "unassigned": int(counts.get("unassigned", 0)),
            }
        ]
    # Made without each fold they are means over folds.
    return [
        {
            "name": f"{name}, {number}, {one['fraction']:.0%}",
            "of_class": {word: round(n) for word, n in one["of_class"].items()},
            "labelled": round(one["given"]),
            "unassigned": round(counts["unlabelled_cells"] - one["given"]),
        }
        for number, one in (counts.get("given_in_rounds") or {}).items()
    ]


def _step(name: str, counts: dict[str, Any]) -> dict[str, Any]:
    gains = counts.get("gain_of_groups_left_out") or {}
    method = counts.get("method") or "inherit"
    heard = counts.get("heard") or [method]
    shown, spread = counts.get("shown") or {}, counts.get("spread") or {}
    return {
        "name": name,
        "fields": int(counts.get("fields", 0)),
        "cells": int(counts.get("cells", 0)),
        "method": _word(method),
        "plain": not counts.get("method"),
        "heard": [_word(one) for one in heard],
        "inherits": list(heard) == ["inherit"],
        "untested": bool(gains) and all(gain is None for gain in gains.values()),
        "why": counts.get("inherits_because", ""),
        "gains": [(_word(one), gain, one in heard) for one, gain in gains.items()],
        "folds": len(counts.get("made_without_each_of") or []),
        "classes": [(one, share, spread.get(one)) for one, share in shown.items()],
        "swaps": [(a, b) for a, b, _ in counts.get("swaps") or []],
        "silent": int(counts.get("of_fields_that_do_not_teach") or 0),
        "by_hand": int(counts.get("by_hand") or 0),
        "unheard": _unheard(counts),
        "draw": _draw(counts),
        "together": [" and ".join(names) for names in counts.get("never_told_apart") or []],
    }


def _unheard(counts: dict[str, Any]) -> list[str]:
    """What people said that changes no label, and why."""
    lost = int(counts.get("cells_not_found") or 0)
    named = counts.get("cells_not_found_named") or []
    told = ", ".join(named[:_NAMED]) + (" ..." if lost > _NAMED else "")
    found = [f"{counts[kind]:,} {words}" for kind, words in _UNHEARD.items() if counts.get(kind)]
    return [f"{words}: {told}" if words.endswith("today") else words for words in found]


def _draw(counts: dict[str, Any]) -> str:
    """What the random draw among the judged cells tells of others; empty without one."""
    if not counts.get("verdicts_drawn_at_random"):
        return ""
    audit = counts.get("audit_mean_over_folds") or counts.get("audit") or {}
    why = counts.get("random_draw_tells_nothing_because") or audit.get("supposed_because")
    if why and "false_of_all" in audit:
        # Labels are made without each fold: some leave enough judged cells.
        return (
            "Without some folds the random draw among them also tells how many others show what; "
            f"without others too few are left: {why}."
        )
    if why:
        return f"The random draw among them tells nothing of other cells: {why}."
    if not audit:
        return ""
    return "The random draw among them also tells how many others show what."


def _word(method: str) -> str:
    return _WORDS.get(method, f"exponent {method}")
