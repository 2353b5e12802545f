import os

import polars as pl
import pytest

from cellwise.domain.tables import SEGMENTATION
from cellwise.store.run.shards import Shards
from cellwise.store.run.tables import empty_frame, read_table

EMPTY = empty_frame(SEGMENTATION)


def rows(numbers):
    ids = [f"s{number:04d}" for number in numbers]
    return EMPTY.clear().vstack(
        pl.DataFrame(
            {"site_id": ids, **{name: list(numbers) for name in EMPTY.columns[1:]}},
            schema=EMPTY.schema,
        )
    )


@pytest.fixture
def shards(tmp_path):
    return Shards(tmp_path / "work", SEGMENTATION, tmp_path / "merged.parquet")


def fill(shards, batches):
    """Write these batches; the key of each site's batch."""
    keys = {}
    for batch in batches:
        key, frame = f"k{batch[0]}", rows(batch)
        shards.write(key, frame["site_id"].to_list(), frame)
        keys.update(dict.fromkeys(frame["site_id"], key))
    return keys


def test_batches_become_one_sorted_table(shards, tmp_path):
    keys = fill(shards, [[5, 1, 3], [2, 4], [0]])
    merged = pl.concat(shards.merge(keys, EMPTY))
    assert merged.equals(rows(range(6)))
    assert read_table(tmp_path / "merged.parquet", SEGMENTATION).equals(merged)
    assert shards.merged_sites() == set(keys)


def test_rows_whose_shards_are_gone_come_from_the_table_and_others_are_left_out(shards):
    keys = fill(shards, [[0, 1, 2], [3, 4]])
    list(shards.merge(keys, EMPTY))
    shards.remove(keep=["k3"])
    assert shards.keys() == {"k3"}
    keys |= fill(shards, [[5]])
    del keys["s0001"]
    assert pl.concat(shards.merge(keys, EMPTY)).equals(rows([0, 2, 3, 4, 5]))


def test_a_batch_repeated_site_by_site_counts_once(shards):
    keys = fill(shards, [[0, 1]])
    again = rows([1])
    shards.write("k0", again["site_id"].to_list(), again)
    assert shards.rows("k0").height == 3
    assert pl.concat(shards.merge(keys, EMPTY)).equals(rows([0, 1]))


def test_what_another_writer_adds_is_seen_by_the_merge(shards, tmp_path):
    assert shards.keys() == set()
    other = Shards(tmp_path / "work", SEGMENTATION, tmp_path / "merged.parquet")
    keys = fill(other, [[0, 1]])
    assert pl.concat(shards.merge(keys, EMPTY)).equals(rows([0, 1]))


def test_a_merge_lists_the_folder_once_however_many_batches_there_are(shards, monkeypatch):
    keys = fill(shards, [[number] for number in range(30)])
    listed, plain = [], os.scandir

    def scandir(folder):
        listed.append(folder)
        return plain(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert pl.concat(shards.merge(keys, EMPTY)).height == 30
    assert len(listed) == 1
