"""Crops on disk: what was written is read, and nothing half-written is read as done."""

import json
import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cellwise.domain.channels import Channel
from cellwise.errors import FormatError
from cellwise.store.run.crops import (
    CropStore,
    read_channels,
    remove_other_shards,
    shard_path,
    write_channels,
    write_shard,
    write_site,
)

CHANNELS = (Channel("dna", "nucleus"), Channel("gfp"))


@pytest.fixture
def stored(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {name: rng.random((n, 2, 5, 5), np.float32) for name, n in (("a", 4), ("b", 3))}
    for name, array in arrays.items():
        write_shard(tmp_path, name, array)
    write_channels(tmp_path, CHANNELS)
    rows = [(name, row) for name in ("b", "a") for row in range(len(arrays[name]))]
    cells = pl.DataFrame(rows, schema={"shard": pl.String, "row": pl.Int32}, orient="row")
    return tmp_path, arrays, cells


def test_what_was_written_is_read_in_any_order(stored):
    folder, arrays, cells = stored
    store = CropStore(folder, cells)
    everything = np.concatenate([arrays["b"], arrays["a"]])
    for positions in ([0], [6, 0, 3], [2, 2, 5], [], list(range(7))):
        found = store.read(np.array(positions, np.int64))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, everything[positions], atol=5e-4)
    assert (len(store), store.size, store.channels) == (7, 5, CHANNELS)


def test_halves_are_exact_in_float16(tmp_path):
    array = np.linspace(0, 1, 50, dtype=np.float16).reshape(1, 2, 5, 5)
    write_shard(tmp_path, "a", array)
    np.testing.assert_array_equal(np.load(shard_path(tmp_path, "a")), array)


def test_blocks_are_one_shard_named_by_its_content(tmp_path):
    array = np.random.default_rng(0).random((7, 2, 4, 4), np.float32)
    whole = write_site(tmp_path, "s1", [array], shape=array.shape)
    parts = write_site(tmp_path, "s1", [array[:3], array[3:3], array[3:]], shape=array.shape)
    other = write_site(tmp_path, "s1", [array / 2], shape=array.shape)
    assert whole == parts != other
    assert whole.startswith("s1-")
    np.testing.assert_array_equal(np.load(shard_path(tmp_path, whole)), array.astype(np.float16))
    assert not list(tmp_path.glob(".*"))


def test_a_store_travels_to_other_processes_without_its_maps(stored):
    folder, _, cells = stored
    store = CropStore(folder, cells)
    before = store.read(np.arange(7))
    sent = pickle.dumps(store)
    assert len(sent) < 3000
    np.testing.assert_array_equal(pickle.loads(sent).read(np.arange(7)), before)


def test_shards_open_again_after_many_others(stored, monkeypatch):
    folder, _, cells = stored
    monkeypatch.setattr("cellwise.store.run.crops._OPEN_SHARDS", 1)
    store = CropStore(folder, cells)
    first = store.read(np.array([0, 6, 0, 6]))
    np.testing.assert_array_equal(first[0], first[2])
    assert len(store._open) == 1


def test_blocks_that_do_not_fill_the_shard_leave_nothing(tmp_path):
    array = np.zeros((3, 2, 4, 4), np.float32)
    with pytest.raises(ValueError, match="2 cells came"):
        write_site(tmp_path, "s", [array[:2]], shape=array.shape)
    with pytest.raises(ValueError, match="a block is"):
        write_site(tmp_path, "s", [array[:, :1]], shape=array.shape)
    with pytest.raises(ValueError, match="Crops are"):
        write_shard(tmp_path, "s", array[0])
    assert not list(tmp_path.iterdir())


def test_a_write_that_dies_leaves_the_old_shard(tmp_path):
    write_shard(tmp_path, "a", np.ones((1, 1, 2, 2)))

    def blocks():
        yield np.zeros((1, 1, 2, 2))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_site(tmp_path, "a", blocks(), shape=(2, 1, 2, 2))
    assert [p.name for p in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("fault", ["torn", "empty", "missing", "foreign", "flat"])
def test_faulty_shards_are_named(stored, fault):
    folder, _, cells = stored
    path = shard_path(folder, "a")
    content = path.read_bytes()
    if fault == "missing":
        path.unlink()
    elif fault == "foreign":
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    elif fault == "flat":
        np.save(path, np.zeros(3, np.float16))
    else:
        path.write_bytes(content[: len(content) // 2] if fault == "torn" else b"")
    store = CropStore(folder, cells)
    assert store.read(np.array([0, 1])).shape[0] == 2
    with pytest.raises(FormatError, match=r"a\.npy"):
        store.read(np.array([5]))


def test_a_table_that_asks_for_more_than_a_shard_holds(stored):
    folder, _, cells = stored
    store = CropStore(folder, cells.with_columns(row=pl.lit(9, pl.Int32)))
    with pytest.raises(FormatError, match="do not fit"):
        store.read(np.array([0]))


@pytest.mark.parametrize("position", [7, -1])
def test_positions_outside_the_table_are_refused(stored, position):
    folder, _, cells = stored
    with pytest.raises(IndexError):
        CropStore(folder, cells).read(np.array([position]))


def test_a_table_without_places_is_refused(stored):
    folder, _, cells = stored
    with pytest.raises(FormatError, match="where crops lie"):
        CropStore(folder, cells.drop("row"))


def test_channels_are_kept_with_their_roles(tmp_path):
    write_channels(tmp_path, CHANNELS)
    assert read_channels(tmp_path) == CHANNELS
    with pytest.raises(FormatError, match="missing"):
        read_channels(tmp_path / "elsewhere")
    path = tmp_path / "channels.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(FormatError, match="newer"):
        read_channels(tmp_path)
    path.write_text("{")
    with pytest.raises(FormatError, match="JSON"):
        read_channels(tmp_path)


def test_only_named_shards_stay(stored):
    folder, _, _ = stored
    (folder / ".0123.partial.npy").write_bytes(b"half")
    assert remove_other_shards(folder, ["a"]) == 2
    assert sorted(p.name for p in folder.iterdir()) == ["a.npy", "channels.json"]
    assert remove_other_shards(Path(folder / "none"), []) == 0


def test_no_cells_need_no_shards(stored):
    folder, _, cells = stored
    store = CropStore(folder, cells.clear())
    assert store.read(np.array([], np.int64)).shape == (0, 2, 0, 0)


def test_crops_as_they_are_stored_hold_the_same_numbers(stored):
    folder, _, cells = stored
    store = CropStore(folder, cells)
    wanted = np.array([6, 0, 3, 3])
    found = store.stored(wanted)
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found.astype(np.float32), store.read(wanted))
