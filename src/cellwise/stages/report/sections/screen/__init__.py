"""Wells of a screen: right answers by cell type, plate and place; profiles; hits."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from cellwise.stages.report._charts import frame, histogram
from cellwise.stages.report._plate_chart import plate
from cellwise.stages.report.drawing.svg import (
    BLUE,
    GREY,
    GROUPS,
    VERMILION,
    dot,
    drawing,
    line,
    short,
)
from cellwise.stages.report.material import Material
from cellwise.stages.report.sections.plates import place_on_plate

_ROLES = {"out_of_batch": "New", "in_batch": "Known"}
_WAYS = ("free", "grouped", "assigned")
_HITS, _PLATES, _BINS = 20, 24, 24


def was_judged(material: Material) -> bool:
    """Whether wells were judged as those of a screen."""
    return bool({"screen", "profiles"} & set(material.evaluation))


def context(material: Material) -> dict[str, Any]:
    """Everything the template shows; parts that were not measured are empty."""
    seen = material.evaluation
    screen, profiles = seen.get("screen") or {}, seen.get("profiles") or {}
    before = seen.get("profiles_before") or {}
    hits = seen.get("hits") or {}
    return {
        "accuracy": _accuracy(material),
        "roles": screen.get("roles") or {},
        "assignment": seen.get("assignment") or {},
        "groups_found": material.metrics.get("out_of_batch_groups_found"),
        "layouts": ((seen.get("assignment") or {}).get("layouts") or {}).get("surest", [])[:6],
        "positions": _positions(screen.get("positions") or []),
        "plates": _plates(screen.get("plates") or []),
        "more_plates": max(0, len(screen.get("plates") or []) - _PLATES),
        "profiles": profiles,
        "figures": {name: material.metrics[name] for name in (
            "retrieval_map", "retrieval_map_before", "retrieval_map_by_chance",
            "replicate_correlation", "replicate_correlation_before", "replicating_share",
        ) if name in material.metrics},
        "before": bool(before),
        "variance": _variance(before.get("variance") or {}, profiles.get("variance") or {}),
        "maps": [*_maps(before.get("map") or {}, "before" if before else ""),
                 *_maps(profiles.get("map") or {}, "after" if before else "")],
        "correlation": _correlation(profiles.get("correlation") or {}),
        "hits": (hits.get("treatments") or [])[:_HITS],
        "tested": hits,
    }  # fmt: skip


def _accuracy(material: Material) -> list[dict[str, Any]]:
    """A row for each role and cell type, the whole first, with the figure of each way."""
    rows = []
    for role, title in _ROLES.items():
        start, end = f"{role}_accuracy", "_free"
        kinds = [name[len(start) : -len(end)] for name in material.metrics
                 if name.startswith(start) and name.endswith(end)]  # fmt: skip
        for kind in sorted(kinds, key=lambda kind: (kind != "", kind)):
            ways = [material.metrics.get(f"{start}{kind}_{way}") for way in _WAYS]
            what = {"": "all", "_plain": "all, wells counted alike"}.get(kind, kind[1:])
            facts = (material.evaluation.get("screen") or {}).get(role) or {}
            rows.append({"role": title, "what": what, "ways": ways, "n": (ways[0] or {}).get("n"),
                         "chance": facts.get("chance"), "drawn": facts.get("drawn")})  # fmt: skip
    return rows


def _positions(rows: Sequence[dict[str, Any]]) -> Markup | None:
    """The share of right free answers at each place, over all plates."""
    placed = {}
    for row in rows:
        at = place_on_plate(str(row["position"] or ""))
        if at is not None:
            placed[at] = row
    if not placed:
        return None
    shape = max(at[0] for at in placed) + 1, max(at[1] for at in placed) + 1
    tips = {at: f"{row['position']}: {short(row['free'])} of {row['wells']} wells"
            for at, row in placed.items()}  # fmt: skip
    return plate(
        {at: float(row["free"]) for at, row in placed.items()}, shape,
        title="right answers by place", bounds=(0.0, 1.0), tips=tips,
    )  # fmt: skip


def _plates(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The plates with the fewest right answers first."""
    return sorted(rows, key=lambda row: (row["free"], str(row["plate"])))[:_PLATES]


def _variance(
    before: dict[str, float], now: dict[str, float]
) -> list[tuple[str, float | None, float | None]]:
    """What wells share, its share of the variance before and now; the largest first."""
    names = sorted({*before, *now}, key=lambda name: (-max(before.get(name, 0), now.get(name, 0)),
                                                      name))  # fmt: skip
    return [(name, before.get(name), now.get(name)) for name in names]


def _maps(shown: dict[str, Any], when: str) -> list[dict[str, Any]]:
    """The same wells twice: coloured by experiment, and by treatment."""
    if not shown.get("x"):
        return []
    found = []
    for by in ("experiment", "treatment"):
        names = list(map(str, shown[by]))
        chosen = _most(names) if by == "experiment" else _farthest(names, shown["x"], shown["y"])
        colours = dict(zip(chosen, GROUPS, strict=False))
        found.append({"by": by, "when": when, "chart": _cloud(shown, by, colours),
                      "legend": _legend(names, colours)})  # fmt: skip
    return found


def _most(names: Sequence[str]) -> list[str]:
    """The names that come most often, as many as there are colours of their own."""
    found, count = np.unique(names, return_counts=True)
    order: list[str] = found[np.argsort(-count, kind="stable")][: len(GROUPS) - 1].tolist()
    return order


def _farthest(names: Sequence[str], x: Sequence[float], y: Sequence[float]) -> list[str]:
    """The treatments of several wells whose mean lies farthest from the middle of the map."""
    found, number, count = np.unique(names, return_inverse=True, return_counts=True)
    middle = [np.bincount(number, np.asarray(at) - np.mean(at)) / count for at in (x, y)]
    distance = np.where(count > min(1, count.max() - 1), np.hypot(*middle), -1)
    order: list[str] = found[np.argsort(-distance, kind="stable")][: len(GROUPS) - 1].tolist()
    return order


def _legend(names: Sequence[str], colours: dict[str, str]) -> list[tuple[str, str]]:
    rest = len(set(names)) - len(colours)
    return [*colours.items(), *([(f"{rest} others", GREY)] if rest else [])]


def _cloud(shown: dict[str, Any], by: str, colours: dict[str, str]) -> Markup:
    x, y = shown["x"], shown["y"]
    titles = [f"component {k + 1} ({100 * share:.0f} % of the variance)"
              for k, share in enumerate([*shown["share"], 0.0][:2])]  # fmt: skip
    base = frame(430, 360, _range(x), _range(y), x_title=titles[0], y_title=titles[1])
    order = np.argsort([str(name) in colours for name in shown[by]], kind="stable")
    for k in order:
        name = str(shown[by][k])
        tip = f"{shown['well'][k]}: {name}"
        size = 3.4 if by == "treatment" and name in colours else 2.6
        base.marks.append(
            dot(base.x(x[k]), base.y(y[k]), size, colour=colours.get(name, GREY), tip=tip)
        )
    return drawing(430, 360, base.marks, says=f"Wells by {by}, {len(x)} of them")


def _range(values: Sequence[float]) -> tuple[float, float]:
    """With room at both ends, so that no point lies on the frame."""
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room


def _correlation(found: dict[str, Any]) -> Markup | None:
    """How alike replicates are, and where 95 % of random wells end."""
    own = found.get("own") or []
    if not own:
        return None
    low = min(-0.2, float(np.floor(10 * min(own)) / 10))
    counts, edges = np.histogram(own, np.linspace(low, 1.0, _BINS + 1))
    chart = histogram(
        [("", BLUE, counts.tolist())], edges.tolist(),
        x_title="mean cosine between replicates on other plates", y_title="treatments",
    )  # fmt: skip
    base = frame(460, 220, (low, 1.0), (0, max([*counts, 1])), x_title="", y_title="")
    at = base.x(found["null_95"])
    mark = line(at, base.y.start, at, base.y.end, css="chance", colour=VERMILION)
    return Markup(str(chart).replace("</svg>", f"{mark}</svg>"))
