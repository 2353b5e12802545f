"""Assign: the logits of sites become one treatment for each well.

Reads `sites.parquet`, `folds.parquet` and scores; writes `treatments.parquet` (a row per well) and
`assignments/<step>.json` (the groups of plates, and layouts that recur). Three answers stand side
by side: free, inside the plate's group, and one-to-one as well. Which of them is the `answer` is
an option; nothing is taken from the design of the plates unless it says so.

The groups that a well of a fold is decided by are found without the plates of that fold.
"""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import softmax

from cellwise.domain.classes import ClassList
from cellwise.domain.foresight import FolderFacts, Foresight
from cellwise.domain.screens.groups import class_numbers
from cellwise.domain.screens.needs import refused_without
from cellwise.domain.steps import Job, Report
from cellwise.domain.tables import TREATMENTS
from cellwise.domain.units import EXPERIMENT, PLATE, WELL
from cellwise.errors import PreflightError
from cellwise.stages.assign._known import Known, known_of, stored
from cellwise.stages.assign._layouts import repeated
from cellwise.stages.assign._plates import Answers, Logits, Numbers, Rules, decide_wells
from cellwise.stages.assign._pseudo import agreed, surest, teachers_left_out
from cellwise.stages.assign._wells import Wells, combined_logits, find_wells, well_logits
from cellwise.stages.assign.spec import Options
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import write_table

_KINDS = {"off": "answer_free", "groups": "answer_grouped", "one_to_one": "answer_assigned"}
_TOP = 5
Flags = npt.NDArray[np.bool_]


def work(job: Job, report: Report) -> dict[str, Any]:
    """Write treatments and assignment; returns counts.

    Raises:
        PreflightError: No site names its well.
        FormatError: Scores over other classes, or the finished run has no such assignment.
    """
    options, run = Options.of(job.options), RunFolder(job.run)
    listed = read_json(run.reading)["classes"]
    classes = ClassList(tuple(listed["names"]), listed["negative"]).positive
    wells = find_wells(_sites(run))
    if wells.table.is_empty():
        raise PreflightError(
            "assign: no field names its well, so there is nothing to decide. Give wells in the "
            "labels file (column Well), or use a step 'decide'."
        )
    report(0, 2, f"{len(wells.table)} wells")
    members, clean, without = _members(RunReader(run), options, wells, classes)
    logits = combined_logits(members, wells.table["cell_type"], options.members, options.combine)
    known = (
        stored(RunFolder(job.fitted).assignment(job.name))
        if job.fitted
        else known_of(wells.table.filter(pl.Series(~wells.controls)), classes)
    )
    decided, notes = _decide(options, wells, logits, classes, known)
    report(1, 2, "plates")
    asked = _KINDS[options.design].removeprefix("answer_")
    sure = np.asarray(getattr(decided, asked))
    if options.agreed:
        each = [_decide(options, wells, own, classes, known)[0] for own in members.values()]
        alike = agreed(np.stack([getattr(one, asked) for one in each]))
        sure = np.where(alike == sure, sure, -1)
    frame = _frame(options, wells, logits, clean, decided, classes)
    frame = frame.with_columns(
        pseudo_label=_pseudo_labels(options, wells, sure, decided.confidence, classes),
        pseudo_fold=pl.lit(without, pl.Int32),
    )
    write_table(run.treatments(job.name), TREATMENTS, frame)
    content = {"design": options.design, **known.to_json(), **notes}
    content["layouts"] = repeated(frame, known.wells, classes)
    write_text(run.assignment(job.name), json.dumps(content, indent=1, ensure_ascii=False))
    report(2, 2, "done")
    return {
        "wells": len(frame),
        "answered": len(frame) - frame["answer"].null_count(),
        "groups": len(known.groups) if known.groups.is_partition else 0,
        "pseudo_labels": len(frame) - frame["pseudo_label"].null_count(),
        "layouts_repeated": content["layouts"]["pairs"],
    }


def foresee(job: Job, folder: FolderFacts) -> Foresight:
    """Refuse a folder that names no wells: there is nothing to decide."""
    return Foresight(
        refused_without(folder.sites, WELL, step=job.name, cure="or use a step 'decide'.")
    )


def _sites(run: RunFolder) -> pl.DataFrame:
    tables = RunReader(run)
    frame = tables.sites()
    folds = tables.folds().select("site_id", "fold")
    return frame.join(folds, on="site_id", how="left", maintain_order="left")


def _members(
    reader: RunReader, options: Options, wells: Wells, classes: tuple[str, ...]
) -> tuple[dict[str, Logits], Flags, int | None]:
    """Logits by member, which wells all have left out, and the fold all left out of new ones."""
    members, clean = {}, np.ones(len(wells.table), np.bool_)
    folds: set[int | None] = set()
    for name in options.scores:
        scores = reader.scores(name, classes)
        members[name], unseen = well_logits(scores, wells)
        clean &= unseen
        folds |= set(scores["fold"].unique().to_list())
    return members, clean, teachers_left_out(folds)


def _decide(
    options: Options, wells: Wells, logits: Logits, classes: tuple[str, ...], known: Known
) -> tuple[Answers, dict[str, Any]]:
    """The answers of all wells, and what is to be said of plates."""
    count = len(wells.table)
    none = np.full(count, -1, np.int64)
    found = Answers(none, none.copy(), none.copy(), np.full(count, np.nan), none.copy(),
                    np.full(count, np.nan))  # fmt: skip
    rules = Rules(
        options.group, options.one_to_one, options.sum_of, options.temperature, options.balance,
        options.always_grouped,
    )  # fmt: skip
    scored = np.isfinite(logits).all(axis=1)
    controls = wells.controls
    # Controls and wells without a plate are answered freely: their place says nothing.
    placed = wells.table[PLATE].is_not_null().to_numpy() & ~controls & scored
    shown = np.array([name in known.treatments for name in classes])
    alone = np.flatnonzero(scored & ~placed)
    if len(alone):
        found.free[alone] = logits[alone].argmax(axis=1)
        chance = softmax(logits[alone].astype(np.float64) / options.temperature, axis=1)
        found.confidence[alone] = chance.max(axis=1)
    fold = wells.table["fold"].fill_null(-1).to_numpy()
    for number in np.unique(fold[placed]):
        rows = np.flatnonzero(placed & (fold == number))
        groups = known.without(int(number))
        own = (
            np.array(class_numbers(groups, classes))
            if groups.is_partition
            else -np.ones(len(classes), np.int64)
        )
        allowed = np.where(shown | ~shown.any(), logits[rows], -np.inf).astype(np.float32)
        plate, experiment = _numbers(wells.table[rows])
        answers = decide_wells(allowed, plate, experiment, own, rules, once=known.once)
        for name in ("free", "grouped", "assigned", "confidence", "support"):
            getattr(found, name)[rows] = getattr(answers, name)
        # Named as in the groups of all plates.
        names = [groups.members(g)[0] for g in range(len(groups))] if groups.is_partition else []
        whole = np.array([*class_numbers(known.groups, names), -1], np.int64)
        found.group[rows] = whole[answers.group]
    plates = wells.table.with_columns(
        group=pl.Series(found.group), support=pl.Series(found.support)
    ).filter(pl.Series(placed))
    said = plates.group_by(PLATE).agg(
        pl.col("group").first(), pl.col("support").first(), wells=pl.len()
    )
    said = said.sort(PLATE).with_columns(pl.col("support").fill_nan(None))
    return found, {"plates": said.rename({PLATE: "plate"}).to_dicts()}


def _numbers(table: pl.DataFrame) -> tuple[Numbers, Numbers]:
    """`[well]` plate numbers, and `[plate]` experiment numbers; an unnamed one is its own."""
    names, first, plate = np.unique(table[PLATE].to_numpy(), return_index=True, return_inverse=True)
    experiments = table[EXPERIMENT].to_numpy()[first]
    keys = [name if e is None else f"/{e}" for name, e in zip(names, experiments, strict=True)]
    return plate.reshape(-1), np.unique(keys, return_inverse=True)[1].reshape(-1)


def _frame(
    options: Options,
    wells: Wells,
    logits: Logits,
    clean: Flags,
    found: Answers,
    classes: tuple[str, ...],
) -> pl.DataFrame:
    names = np.array([*classes, None], dtype=object)
    columns = {
        "answer_free": found.free, "answer_grouped": found.grouped,
        "answer_assigned": found.assigned,
    }  # fmt: skip
    answers = {k: pl.Series(k, names[v].tolist(), dtype=pl.String) for k, v in columns.items()}
    order = np.argsort(-np.nan_to_num(logits, nan=-np.inf), axis=1, kind="stable")[:, :_TOP]
    top = [pl.Series("top_classes", names[order].tolist(), dtype=pl.List(pl.String))]
    return wells.table.with_columns(
        *answers.values(),
        answers[_KINDS[options.design]].alias("answer"),
        *top,
        out_of_fold=pl.Series(clean),
        confidence=pl.Series(found.confidence, dtype=pl.Float32).fill_nan(None),
        group=pl.Series(found.group, dtype=pl.Int32).replace(-1, None),
        support=pl.Series(found.support, dtype=pl.Float32).fill_nan(None),
    )


def _pseudo_labels(
    options: Options,
    wells: Wells,
    answers: Numbers,
    confidence: npt.NDArray[np.float64],
    classes: tuple[str, ...],
) -> pl.Series:
    """`[well]`: the answer of new treated wells that are sure enough to be learned from."""
    new = wells.table["class"].is_null() | (wells.table["part"] == "test").fill_null(value=False)
    asked = np.where(new.to_numpy() & ~wells.controls, answers, -1)
    plate = np.unique(wells.table[PLATE].fill_null("").to_numpy(), return_inverse=True)[1]
    taken = surest(asked, np.nan_to_num(confidence), plate.reshape(-1),
                   share=options.pseudo_labels)  # fmt: skip
    names = np.array([*classes, None], dtype=object)
    return pl.Series("pseudo_label", names[np.where(taken, asked, -1)].tolist(), dtype=pl.String)
