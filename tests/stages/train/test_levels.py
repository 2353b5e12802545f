"""Training and scoring fields of two sources: a source that is darker as a whole learns alike."""

import numpy as np
import polars as pl
import pytest
from tests.stages.site_steps import all_of
from tests.stages.train.learn_world import make_job, make_run, silent, write_folds

from cellwise.domain.nouns import SITES as SITES_TABLE
from cellwise.domain.tables import CELLS, SCORES, SITES
from cellwise.errors import BadOption
from cellwise.stages.score import step as score
from cellwise.stages.train.spec import SPEC
from cellwise.stages.train.step import work
from cellwise.store.run.crops import CropStore, write_shard
from cellwise.store.run.models import read_card
from cellwise.store.run.tables import read_table, write_table

COLUMN = "Metadata_Source"


def sourced(folder, *, darker=1.0, public=(1, 4, 7, 10)):
    """A run whose fields `public` are of another source, darker by a factor in one channel."""
    run = make_run(folder)
    names = [f"s{number:02d}" for number in public]
    sites = read_table(run.sites, SITES)
    value = pl.when(pl.col("site_id").is_in(names)).then(pl.lit("public"))
    write_table(run.sites, SITES, sites.with_columns(value.otherwise(pl.lit("own")).alias(COLUMN)))
    cells = read_table(run.cells, CELLS)
    for name in names:
        places = np.flatnonzero((cells["site_id"] == name).to_numpy())
        crops = CropStore(run.crops, cells).read(places)
        crops[:, 1] *= darker
        write_shard(run.crops, name, crops)
    return run


def scores(run, **options):
    work(make_job(run, key=f"k{len(options)}", **options), silent)
    all_of(score, make_job(run, step="score", name="cell"))
    return np.stack(read_table(run.scores("cell"), SCORES)["score"].to_list())


def test_a_darker_source_is_learned_and_scored_alike(tmp_path):
    own = sourced(tmp_path / "a")
    dark = sourced(tmp_path / "b", darker=0.25)
    plain = np.abs(scores(own) - scores(dark)).max()
    levelled = np.abs(scores(own, sources=COLUMN) - scores(dark, sources=COLUMN)).max()
    assert levelled < 0.02
    assert plain > 10 * levelled
    found = read_card(dark.model("model", 0)).normalisation["sources"]
    assert found["column"] == COLUMN
    assert found["gains"]["own"] == [1.0, 1.0]
    assert 2.5 < found["gains"]["public"][1] < 6


def test_sources_have_a_column_and_lie_in_several_folds(tmp_path):
    run = sourced(tmp_path)
    with pytest.raises(BadOption, match="Metadata_Source"):
        work(make_job(run, sources="Metadata_Sorce"), silent)
    write_folds(run, {f"s{n:02d}": int(n in (1, 4, 7, 10)) for n in range(12)})
    with pytest.raises(BadOption, match=r"split\.strata"):
        work(make_job(run, sources=COLUMN), silent)


def test_models_with_sources_depend_on_what_the_table_of_sites_says():
    reads = [read for read in SPEC.reads if read.noun == SITES_TABLE]
    assert "sources" in [read.when for read in reads]
    assert all(read.when in SPEC.late for read in reads)
    assert "sources" in SPEC.late


def test_constants_by_source_take_the_place_of_what_is_seen(tmp_path):
    run = sourced(tmp_path, darker=0.5)
    sets = {"own": "hpa_challenge", "public": "hpa_public"}
    work(make_job(run, key="c", sources=COLUMN, constants=sets), silent)
    card = read_card(run.model("model", 0)).normalisation
    # The channels are nucleus and protein.
    assert card["std"] == pytest.approx([239.93038613 / 255, 246.05603962 / 255])
    expected = [239.93038613 / 30.89923273, 246.05603962 / 153.09532163]
    assert card["sources"]["gains"]["public"] == pytest.approx(expected, rel=1e-6)
    with pytest.raises(BadOption, match="no set for the source 'public'"):
        work(make_job(run, key="d", sources=COLUMN, constants={"own": "hpa_challenge"}), silent)


def test_without_a_column_of_sources_the_first_constants_are_for_all(tmp_path):
    run = make_run(tmp_path)
    sets = {"challenge": "hpa_challenge", "public": "hpa_public"}
    work(make_job(run, key="c", sources=COLUMN, constants=sets), silent)
    card = read_card(run.model("model", 0)).normalisation
    assert card["std"][0] == pytest.approx(239.93038613 / 255)
    assert "sources" not in card
    with pytest.raises(BadOption, match="constants are"):
        work(make_job(run, key="e", constants="hpa_2017"), silent)
