"""What a run says of a screen: its answers, its profiles, its hits, on wells that were left out."""

import polars as pl

from cellwise.domain.screens.wells import NEGATIVE, POSITIVE
from cellwise.domain.tables import PROFILES, TREATMENTS
from cellwise.stages.evaluate.results import Results
from cellwise.stages.evaluate.screens.answers import answer_results
from cellwise.stages.evaluate.screens.hits import hits
from cellwise.stages.evaluate.screens.replicas import replica_results
from cellwise.stages.evaluate.screens.roles import IN_BATCH, LEARNED, OUT_OF_BATCH, roles
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.models import CARD_FILE, read_card
from cellwise.store.run.tables import read_table


def screen_results(
    run: RunFolder, treatments: str, profiles: str, *, draws: int, seed: int
) -> list[Results]:
    """Figures of the tables that are named; empty names for none."""
    judged = _judged(run)
    found = []
    if treatments:
        table = read_table(run.treatments(treatments), TREATMENTS)
        found.append(answer_results(table, judged=judged, draws=draws, seed=seed))
        found.append(Results({}, {"assignment": _assignment(run, treatments)}))
    if profiles:
        found.append(_of_profiles(run, profiles, judged, draws, seed))
    return found


def _judged(run: RunFolder) -> set[str]:
    """Experiments whose wells judged the epochs of any training of this run."""
    found: set[str] = set()
    for path in sorted((run.path / "models").glob(f"*/*/{CARD_FILE}")):
        named = read_card(path.parent).training.get("options", {}).get("validate_on")
        if isinstance(named, list):
            found |= set(named)
    return found


def _assignment(run: RunFolder, name: str) -> dict[str, object]:
    content = read_json(run.assignment(name))
    kept = ("design", "partition", "once", "plates", "layouts")
    return {**{key: content[key] for key in kept}, "groups": len(content["groups"])}


def _of_profiles(run: RunFolder, name: str, judged: set[str], draws: int, seed: int) -> Results:
    """Replicates of wells left out, and hits among those of experiments that nobody learned."""
    table = read_table(run.profiles(name), PROFILES)
    names = table["model"].unique().to_list()
    trained = [one for one in names if (run.path / "models" / one.split("/")[0]).is_dir() and one]
    table = table.with_columns(role=roles(table, judged=judged))
    # A network that was not trained here has learned from no well.
    free = ~pl.col("model").is_in(trained)
    control = pl.col("well_type").is_in([POSITIVE, NEGATIVE]).fill_null(value=False)
    shown = pl.col("role").is_in([OUT_OF_BATCH, IN_BATCH]) | (free & (pl.col("role") == LEARNED))
    chosen = table.filter(shown.fill_null(value=False))
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
