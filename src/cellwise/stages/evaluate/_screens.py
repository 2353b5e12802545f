"""What a run says of a screen: its answers, its profiles, its hits, on wells that were left out."""

from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.screens.wells import NEGATIVE, POSITIVE
from cellwise.domain.tables import PROFILES, TREATMENTS
from cellwise.measures.intervals import wilson_interval
from cellwise.stages.evaluate.results import Results
from cellwise.stages.evaluate.screens.answers import answer_results
from cellwise.stages.evaluate.screens.hits import hits
from cellwise.stages.evaluate.screens.replicas import replica_results
from cellwise.stages.evaluate.screens.roles import IN_BATCH, LEARNED, OUT_OF_BATCH, roles
from cellwise.stages.evaluate.spec import Options
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.metrics import Metric
from cellwise.store.run.models import CARD_FILE, read_card
from cellwise.store.run.tables import read_table

_BEFORE = ("retrieval_map", "replicate_correlation")


def screen_results(run: RunFolder, options: Options, *, seed: int) -> list[Results]:
    """Figures of the tables that are named; empty names for none."""
    judged, draws = _judged(run), options.draws
    found = []
    if options.treatments:
        table = read_table(run.treatments(options.treatments), TREATMENTS)
        found.append(answer_results(table, judged=judged, draws=draws, seed=seed))
        told = read_json(run.assignment(options.treatments))
        groups = _groups_found(table, told, judged)
        found.append(Results(groups, {"assignment": _kept(told)}, _taught_by_answers(run)))
    if options.profiles:
        found.append(_of_profiles(run, options.profiles, judged, draws, seed))
    if options.profiles_before:
        found.append(_before(run, options.profiles_before, judged, draws, seed))
    return found


def _judged(run: RunFolder) -> set[str]:
    """Experiments whose wells judged the epochs of any training of this run."""
    found: set[str] = set()
    for path in sorted((run.path / "models").glob(f"*/*/{CARD_FILE}")):
        named = read_card(path.parent).training.get("options", {}).get("validate_on")
        if isinstance(named, list):
            found |= set(named)
    return found


def _taught_by_answers(run: RunFolder) -> tuple[str, ...]:
    """What is to be said where networks learned from answers for wells of new experiments."""
    cards = [read_card(p.parent) for p in sorted((run.path / "models").glob(f"*/*/{CARD_FILE}"))]
    taught = sorted({c.step for c in cards if c.training.get("pseudo_labelled_sites")})
    if not taught:
        return ()
    return (
        f"The networks of {', '.join(taught)} have learned from answers for wells of test "
        "experiments (pseudo-labels): figures of these wells say how plates are answered whose "
        "images were learned from, not how new ones would be.",
    )


def _groups_found(table: pl.DataFrame, told: dict[str, Any], judged: set[str]) -> dict[str, Metric]:
    """The share of plates of new experiments whose group of treatments was rightly found."""
    own = {name: number for number, names in enumerate(told["groups"]) for name in names}
    known = table.filter(roles(table, judged=judged).fill_null("") == OUT_OF_BATCH)
    known = known.filter(pl.col("answer_free").is_not_null())
    known = known.with_columns(
        true=pl.col("class").replace_strict(own, default=None, return_dtype=pl.Int32)
    )
    plates = known.group_by("plate").agg(
        pl.col("true").drop_nulls().mode().sort().first(), pl.col("group").first()
    )
    plates = plates.filter(pl.col("true").is_not_null())
    if not told["partition"] or plates.is_empty():
        return {}
    hits = int((plates["true"] == plates["group"]).fill_null(value=False).sum())
    low, high = wilson_interval(np.array([float(hits)]), len(plates))
    value = float(hits) / len(plates)
    return {"out_of_batch_groups_found":
            Metric(value, float(low[0]), float(high[0]), len(plates), "plate")}  # fmt: skip


def _kept(content: dict[str, Any]) -> dict[str, Any]:
    kept = ("design", "partition", "once", "plates", "layouts")
    return {**{key: content[key] for key in kept}, "groups": len(content["groups"])}


def _of_profiles(run: RunFolder, name: str, judged: set[str], draws: int, seed: int) -> Results:
    """Replicates of wells left out, and hits among those of experiments that nobody learned."""
    table, free = _profiles(run, name, judged)
    control = pl.col("well_type").is_in([POSITIVE, NEGATIVE]).fill_null(value=False)
    chosen = _left_out(table, free)
    if chosen.is_empty():
        return Results({}, {}, (
            "No profile is of a well of a known treatment that its network left out.",
        ))  # fmt: skip
    found = replica_results(chosen, draws=draws, seed=seed)
    untouched = (pl.col("role") == OUT_OF_BATCH) | (free & (pl.col("role") == LEARNED))
    outside = table.filter(untouched.fill_null(value=False))
    beside = table.filter(control & pl.col("plate").is_in(outside["plate"].unique().to_list()))
    found.detail["hits"] = hits(pl.concat([outside, beside]), seed=seed)
    return found


def _before(run: RunFolder, name: str, judged: set[str], draws: int, seed: int) -> Results:
    """What the same vectors say of batches and replicates before the batch was taken out."""
    chosen = _left_out(*_profiles(run, name, judged))
    if chosen.is_empty():
        return Results()
    found = replica_results(chosen, draws=draws, seed=seed)
    shown = {key: found.detail["profiles"][key] for key in ("variance", "map")}
    kept = {f"{key}_before": metric for key, metric in found.metrics.items() if key in _BEFORE}
    return Results(kept, {"profiles_before": shown})


def _profiles(run: RunFolder, name: str, judged: set[str]) -> tuple[pl.DataFrame, pl.Expr]:
    """The table with roles, and which rows are of a network that was not trained here."""
    table = read_table(run.profiles(name), PROFILES)
    names = table["model"].unique().to_list()
    trained = [one for one in names if (run.path / "models" / one.split("/")[0]).is_dir() and one]
    # A network that was not trained here has learned from no well.
    return table.with_columns(role=roles(table, judged=judged)), ~pl.col("model").is_in(trained)


def _left_out(table: pl.DataFrame, free: pl.Expr) -> pl.DataFrame:
    """Wells of known treatments that their network has not learned from."""
    shown = pl.col("role").is_in([OUT_OF_BATCH, IN_BATCH]) | (free & (pl.col("role") == LEARNED))
    return table.filter(shown.fill_null(value=False))
