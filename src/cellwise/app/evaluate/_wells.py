"""Which treatment a run, or a submission file, gives each well of an RxRx1 plate."""

from pathlib import Path

import polars as pl

from cellwise.app.evaluate import Evaluation
from cellwise.app.evaluate._fields import gathered, nothing_in_common, split_fields
from cellwise.domain.plain_words import counted
from cellwise.domain.screens.wells import id_codes
from cellwise.domain.tables import PREDICTIONS, TREATMENTS
from cellwise.errors import PreflightError
from cellwise.stages.evaluate.known.wells import known_wells, well_results
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table
from cellwise.store.worlds.submissions import read_rxrx1_submission, refuse_faults
from cellwise.store.worlds.truth import Truth

_PREFIX = "Prob_"


def said_of_wells(run: RunFolder, sites: pl.DataFrame | None) -> dict[str, str] | None:
    """Most probable class per well (`id_code`), from wells, else from the mean of what is in them.

    None where the run says nothing of classes.
    """
    if sites is None:
        return None
    answers = answers_of_wells(run)
    if answers:
        return answers["answer"]
    for path in (run.predictions_well, run.predictions):
        if path.is_file():
            table = read_table(path, PREDICTIONS)
            codes = _codes(table, sites)
            # A run that knows its wells by another name than the truth still knows its fields.
            if path == run.predictions or (codes != "").any():
                return _likeliest(table, codes)
    return None


def answers_of_wells(run: RunFolder) -> dict[str, dict[str, str]]:
    """Treatment per well (`id_code`) by each way of a run's step `assign`; empty where it has none.

    Ways are `free`, `grouped` and `assigned`, and `answer` for that which the run was told to give.
    """
    if not run.treatments().is_file():
        return {}
    table = read_table(run.treatments(), TREATMENTS)
    table = table.with_columns(id_codes(table)).filter(pl.col("id_code").is_not_null())
    found = {}
    for way, column in (
        ("answer", "answer"),
        *((way, f"answer_{way}") for way in ("free", "grouped", "assigned")),
    ):
        rows = table.select("id_code", column).drop_nulls()
        if len(rows):
            found[way] = {str(code): str(name) for code, name in rows.iter_rows()}
    return found


def trained_wells(run: RunFolder) -> set[str]:
    """The wells (`id_code`) that no model of a run's step `assign` left out: it gives no answer."""
    if not run.treatments().is_file():
        return set()
    table = read_table(run.treatments(), TREATMENTS)
    seen = (pl.col("part") != "test").fill_null(value=True) & ~pl.col("out_of_fold")
    learned = seen & pl.col("class").is_not_null() & pl.col("answer").is_null()
    codes = table.with_columns(id_codes(table)).filter(learned)["id_code"].drop_nulls()
    return {str(code) for code in codes}


def _likeliest(table: pl.DataFrame, codes: pl.Series) -> dict[str, str] | None:
    given = [name for name in table.columns if name.startswith(_PREFIX)]
    if given:
        frame = table.select(codes, *given).filter(pl.col("id_code") != "")
        means = frame.group_by("id_code", maintain_order=True).mean()
        best = means.select(given).to_numpy().argmax(axis=1) if means.height else []
        names = [given[k].removeprefix(_PREFIX) for k in best]
        return dict(zip(means["id_code"].to_list(), names, strict=True))
    if "top_classes" not in table.columns:
        return None
    # Above 64 classes a table lists the likeliest only: what is not listed counts as nothing.
    long = table.select(codes, pl.col("top_classes", "top_probs"))
    long = long.filter(pl.col("id_code") != "").explode("top_classes", "top_probs")
    summed = long.group_by("id_code", "top_classes", maintain_order=True).agg(pl.sum("top_probs"))
    first = summed.sort("top_probs", descending=True, maintain_order=True).unique(
        "id_code", keep="first", maintain_order=True
    )
    return {str(well): str(name) for well, name in first.select("id_code", "top_classes").rows()}


def evaluate_wells(path: Path, truth: Truth, *, draws: int, seed: int) -> Evaluation:
    """Accuracy of an `id_code,sirna` file.

    Raises:
        PreflightError: The truth knows no wells, or none of these.
        FormatError: A row is listed twice or has no class.
    """
    wells = known_wells(truth.sites)
    if wells is None or truth.sites is None:
        raise PreflightError(
            f"The truth in {truth.root} knows no wells: an RxRx1 submission needs a sites.csv with "
            "sirna, experiment, plate and well."
        )
    rows, faults = read_rxrx1_submission(path)
    refuse_faults(path, faults)
    said = {str(code): str(sirna) for code, sirna in rows.select("id_code", "sirna").iter_rows()}
    unknown = [code for code in said if code not in set(wells["id_code"])]
    if len(unknown) == len(said):
        raise nothing_in_common(said, truth, str(path))
    notes = []
    if unknown:
        notes.append(
            f"{counted(len(unknown), 'wells')} of the file not among the treated wells of the "
            "truth: "
            f"left out ({unknown[0]}{'...' * (len(unknown) > 1)})."
        )
    parts = {str(w): str(p) for w, p in wells.select("id_code", "part").iter_rows() if p}
    results = {}
    for title, names in split_fields(wells["id_code"].to_list(), parts).items():
        # A submission answers for the test part; the rest only where it says something of it.
        if any(name in said for name in names):
            here = wells.filter(pl.col("id_code").is_in(names))
            results[title] = well_results(here, said, draws=draws, seed=seed)
    return gathered(results, notes, of="wells")


def _codes(table: pl.DataFrame, sites: pl.DataFrame) -> pl.Series:
    """The well of each row, by its field, else by plate and well; empty where neither is known."""
    of_site = dict(
        sites.select(
            "site_id", pl.concat_str("experiment", "plate", "well", separator="_")
        ).iter_rows()
    )
    plates, wells = (_column(table, f"Metadata_{name}") for name in ("Plate", "Well"))
    experiments = _column(table, "Metadata_Experiment")
    found = []
    rows = zip(table["site_id"].to_list(), experiments, plates, wells, strict=True)
    for site, experiment, plate, well in rows:
        # The reader writes plates as `{experiment}_{plate}`, since a number alone says little.
        whole = plate if plate.startswith(f"{experiment}_") else f"{experiment}_{plate}"
        found.append(of_site.get(site) or (f"{whole}_{well}" if well and experiment else ""))
    return pl.Series("id_code", found, dtype=pl.String)


def _column(table: pl.DataFrame, name: str) -> list[str]:
    if name not in table.columns:
        return [""] * table.height
    return [str(text) for text in table[name].fill_null("").to_list()]
