"""Provenance: the exact command, versions, seed, hashes, times, recipe, words for a paper."""

import shlex
from collections.abc import Mapping, Sized
from pathlib import PurePath
from typing import Any

from cellwise.domain.plain_words import by_number, counted
from cellwise.stages.report.material import Material
from cellwise.stages.report.sections._methods_of_wells import of_wells

_CALIBRATION = {
    "audited": "Probabilities were calibrated against cells judged by a person.",
    "weak": "Probabilities were fitted against field labels, not against cells judged by a person.",
    "none": "Probabilities are the model's own; they were not fitted to any labels.",
}


def context(material: Material) -> dict[str, Any]:
    """Everything needed to run this again and to write about it."""
    record = material.record
    if not record:
        return {
            "empty": "The run has not written its record (run.json) yet; "
            "`cellwise report RUN` draws this section once it has."
        }
    steps = [step for step in record.get("steps") or [] if isinstance(step, dict)]
    return {
        "command": shlex.join(str(word) for word in record.get("command") or []),
        "facts": _facts(record),
        "steps": [_step(step) for step in steps],
        "seconds": record.get("seconds"),
        "versions": sorted((record.get("versions") or {}).items()),
        "recipe": _recipe(record),
        "methods": methods(material),
        "citation": _citation(material),
    }


def _facts(record: dict[str, Any]) -> list[tuple[str, str]]:
    inputs = record.get("inputs") or {}
    recipe = record.get("recipe") or {}
    facts = [
        ("State", _state(record)),
        ("cellwise", record.get("cellwise")),
        ("Started", record.get("started")),
        ("Finished", record.get("finished")),
        ("Images", inputs.get("folder")),
        *_copied_from(inputs),
        ("Labels", inputs.get("labels")),
        ("Masks", inputs.get("masks")),
        ("Hash of the file list (SHA-256)", inputs.get("listing_sha256")),
        ("Hash of the labels (SHA-256)", inputs.get("labels_sha256")),
        ("Recipe", recipe.get("name")),
        ("Hash of the resolved recipe", recipe.get("digest")),
        ("Seed", record.get("seed")),
        ("Device", record.get("device")),
        ("Workers", record.get("workers")),
        ("Platform", record.get("platform")),
    ]
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


def _copied_from(inputs: dict[str, Any]) -> list[tuple[str, Any]]:
    """Where inputs come from that are copies, with the sum of names, sizes and ETags."""
    found: list[tuple[str, Any]] = []
    for name, facts in (inputs.get("copies") or {}).items():
        what = "Images" if name == "folder" else name.partition(": ")[2].capitalize()
        found.append((f"{what} copied from", facts.get("address")))
        if name == "folder":
            found.append(("Hash of the listing there (SHA-256)", facts.get("listing_sha256")))
    return found


_NOTHING: tuple[Any, ...] = (None, "", [], {})


def _state(record: dict[str, Any]) -> str:
    status = str(record.get("status") or "")
    # The page is the last step, so it is written while the run still stands as running.
    return "done up to this page" if status == "running" else status


def _step(step: dict[str, Any]) -> dict[str, Any]:
    counts = step.get("counts") or {}
    words = ", ".join(_said(name, value) for name, value in counts.items() if value not in _NOTHING)
    return {
        "name": step.get("name") or step.get("kind") or "",
        "kind": step.get("kind") or "",
        "key": str(step.get("key") or "")[:12],
        "seconds": step.get("seconds"),
        "state": step.get("state") or "",
        "counts": words if len(words) < 160 else words[:159] + "…",
    }


def _said(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"{name.replace('_', ' ')} ({'yes' if value else 'no'})"
    if isinstance(value, int | float):
        return counted(value, name)
    if isinstance(value, dict):
        value = ", ".join(f"{word.replace('_', ' ')} {own}" for word, own in value.items())
    elif isinstance(value, list | tuple) and any(isinstance(one, dict) for one in value):
        # What each of several things is stands in run.json.
        return counted(len(value), name)
    elif isinstance(value, list | tuple):
        value = ", ".join(str(word).replace("_", " ") for word in value)
    return f"{name.replace('_', ' ')} ({value})"


def _recipe(record: dict[str, Any]) -> list[dict[str, Any]]:
    steps = (record.get("recipe") or {}).get("steps") or []
    return [
        {
            "number": i + 1,
            "name": step.get("name") or step.get("kind") or "",
            "kind": step.get("kind") or "",
            "lines": [(str(k), str(v)) for k, v in (step.get("options") or {}).items()],
        }
        for i, step in enumerate(steps)
        if isinstance(step, dict)
    ]


def methods(material: Material) -> str:
    """A paragraph that can be pasted into a paper; it states only what the record holds."""
    record = material.record
    recipe = record.get("recipe") or {}
    steps = [step for step in recipe.get("steps") or [] if isinstance(step, dict)]
    segmenter = _segmenter(steps)
    aside = len(material.quarantine)
    words = [
        f"Images were analysed with cellwise {record.get('cellwise', '')} (recipe "
        f"{recipe.get('name', 'unnamed')}, seed {record.get('seed', 'not recorded')}).",
        f"{counted(material.n_sites, 'fields')} of view "
        f"{by_number(material.n_sites, 'was', 'were')} read and "
        f"{counted(aside, 'files')} {by_number(aside, 'was', 'were')} set aside.",
    ]
    if material.cells is not None:
        cells = counted(material.n_cells, "cells")
        cells += f" {by_number(material.n_cells, 'was', 'were')}"
        how = f" with the method '{segmenter}'" if segmenter else ""
        found = f"{cells} outlined{how}."
        if segmenter == "given":
            found = f"{cells} taken from masks that were given."
        words.append(found)
    fitted = (record.get("inputs") or {}).get("fitted")
    if material.of_wells:
        words += of_wells(material, steps, str(fitted or ""))
    elif fitted and material.classes:
        words.append(
            f"The models of the run '{PurePath(fitted).name}' gave every cell a probability for "
            f"{each_class(material.classes)}."
        )
        words.append(_calibrated(material))
    elif material.has_labels and material.classes:
        n = sum(labels is not None for labels in material.sites["labels"])  # type: ignore[index]
        words += _labelled(record)
        one, several = _learned(steps)
        words.append(
            f"{one} on the labels of {counted(n, 'fields')} and gave every cell a "
            f"probability for {each_class(material.classes)}; labelled fields were "
            f"scored only by {several} that had not seen them."
        )
        words.append(_calibrated(material))
    return " ".join(words)


def _labelled(record: dict[str, Any]) -> list[str]:
    """How single cells got labels before models learned, of labellers that do not just inherit."""
    made: dict[str, None] = {}
    judged = 0
    for step in record.get("steps") or []:
        counts = step.get("counts") or {}
        if step.get("kind") != "label":
            continue
        if "method" in counts:
            made[str(counts["method"])] = None
        judged = max(judged, int(counts.get("by_hand", 0)))
    by = f"by {', '.join(repr(name) for name in made)}" if made else "as they are"
    hand = counted(judged, "cells")
    hand = f"; {hand} {by_number(judged, 'has', 'have')} what a person saw" if judged else ""
    if not made and not judged:
        return []
    return [f"Labels of single cells were made of those of their fields {by}{hand}."]


def _learned(steps: list[dict[str, Any]]) -> tuple[str, str]:
    """What learned, and what several of it are called: networks, or learners of vectors."""
    learners: dict[str, None] = {}
    networks = False
    for step in steps:
        options = step.get("options") or {}
        learner = options.get("learner")
        if step.get("kind") == "train" and learner:
            name = learner["name"] if isinstance(learner, dict) else learner
            learners[f"'{name}' on the embedding '{options.get('embeddings')}'"] = None
        networks = networks or (step.get("kind") == "train" and not learner)
    if not learners:
        return "A network was trained", "networks"
    beside = "Networks were trained, and models fitted" if networks else "A model was fitted"
    return f"{beside} ({', '.join(learners)})", "models"


def each_class(classes: Sized) -> str:
    """What a probability was given for: `each of 3 classes`."""
    return f"each of {len(classes)} classes" if len(classes) > 1 else "one class"


def calibration(material: Material) -> str:
    """`audited`, `weak` or `none`: against what the shown probabilities were fitted.

    Only probabilities fitted against cells that a person looked at are `audited`; a run whose
    decision is unknown is `weak`.
    """
    return calibration_of(material.decisions, material.choices.negative_control)


def calibration_of(decisions: Mapping[str, dict[str, Any]], control: str = "") -> str:
    """The same from what was fitted, by name; `control` is the name of a negative control."""
    kind = _main(decisions, control).get("calibration")
    return str(kind) if kind in ("audited", "none") else "weak"


def audited_of(decisions: Mapping[str, dict[str, Any]], control: str = "") -> dict[str, Any]:
    """By class what it was fitted to, on how many judged cells; empty where nobody asked for it.

    Each has `calibration`, `judged`, `seen` (judged cells that show it) and, where it was not
    fitted to them, `why`. `control` is the name of a negative control.
    """
    audit = _main(decisions, control).get("audit") or {}
    return dict(audit.get("classes") or {})


def _main(decisions: Mapping[str, dict[str, Any]], control: str) -> dict[str, Any]:
    main = [decision for name, decision in decisions.items() if name != control]
    return decisions.get("decide") or (main[0] if main else {})


def _calibrated(material: Material) -> str:
    """What probabilities were fitted to, in a sentence for a paper."""
    told = audited_of(material.decisions, material.choices.negative_control)
    names = [name for name, one in told.items() if one["calibration"] == "audited"]
    if not names or len(names) == len(told):
        return _CALIBRATION[calibration(material)]
    return (
        f"Probabilities of {', '.join(names)} were calibrated against cells judged by a person, "
        "those of the other classes against field labels only."
    )


def _segmenter(steps: list[dict[str, Any]]) -> str:
    for step in steps:
        if step.get("kind") == "segment":
            return str((step.get("options") or {}).get("name") or "watershed")
    return ""


def _citation(material: Material) -> str:
    record = material.record
    recipe = (record.get("recipe") or {}).get("name", "unnamed")
    versions = record.get("versions") or {}
    torch = f", torch {versions['torch']}" if "torch" in versions else ""
    what = "field-level labels in, per-cell labels with stated probabilities out"
    if material.outlines_only:
        what = "single cells from fields of fluorescence microscopy"
    return (
        f"cellwise, version {record.get('cellwise', 'unknown')} (recipe {recipe}{torch}): {what}. "
        "The cellwise developers."
    )
