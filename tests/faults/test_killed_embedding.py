"""A run that embeds may die anywhere; the same call then leaves the same files."""

import numpy as np
import polars as pl
import pytest
from tests.faults.deaths import changes, die
from tests.faults.fault_runs import cells, left_on_disk, partial_files, run
from tests.worlds import plate

POINTS = 6


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    place = tmp_path_factory.mktemp("embedding")
    plate(place / "images", 4)
    run(place / "images", place / "first.run")
    keys = cells(place / "first.run").select("site_id", "cell_id")
    vectors = np.random.default_rng(0).normal(size=(len(keys), 3)).astype(np.float32)
    table = keys.with_columns(pl.Series(f"f{n}", vectors[:, n]) for n in range(3))
    table.write_parquet(place / "vectors.parquet")
    steps = ["read", "segment: watershed", "cells: {size: 24}", "embed: {name: imported}"]
    lines = "".join(f"  - {step if ':' in step else step + ':'}\n" for step in steps)
    (place / "embed.yaml").write_text(f"format: 1\nsteps:\n{lines}")
    return place


@pytest.fixture(scope="module")
def options(home):
    return {"recipe": home / "embed.yaml"}


@pytest.fixture(scope="module")
def setting(home):
    return f"embed.file={home / 'vectors.parquet'}"


@pytest.fixture(scope="module")
def counted(death, home, options, setting):
    return changes(death, home / "images", home / "undisturbed.run", setting, **options)


@pytest.mark.parametrize("part", range(1, POINTS + 1))
def test_a_death_anywhere_changes_no_vector(death, home, options, setting, counted, tmp_path, part):
    undisturbed = left_on_disk(home / "undisturbed.run")
    assert any(name.startswith("embeddings/embed/") for name in undisturbed)
    out = tmp_path / "out.run"
    # Half of the changes are before the first vector: most deaths are after that.
    after = counted // 2 + counted * part // (2 * POINTS) - 2
    assert die(death, home / "images", out, setting, after=after, **options)
    assert run(home / "images", out, setting, **options).exit_code == 0
    assert left_on_disk(out) == undisturbed
    assert partial_files(out) == []
