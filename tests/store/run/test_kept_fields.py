"""Fields are decoded once, as finely as asked for, and anew where a file changed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.errors import InputError
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.kept_fields import KINDS, KeptFields


@pytest.fixture
def sites(tmp_path):
    found = []
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(name.encode())
        found.append(Site(name, name, (ChannelFile(Channel("dna", "nucleus"), (f"{name}.png",)),)))
    return found


def kept(folder, kind, decode):
    run = RunFolder(folder / "run")
    return KeptFields(run, folder, size=4, kind=kind, channels=["nucleus"], decode=decode)


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_decoded_once_and_is_as_fine_as_its_kind(tmp_path, sites, kind):
    calls = []
    truth = {
        s.id: np.random.default_rng(i).random((1, 4, 4), np.float32) for i, s in enumerate(sites)
    }

    def decode(site):
        calls.append(site.id)
        return truth[site.id]

    for _ in range(2):
        found = kept(tmp_path, kind, decode).read([sites[1], sites[0], sites[1]])
        step = 1 / np.iinfo(kind).max
        for row, name in enumerate("bab"):
            assert np.abs(found[row] - truth[name]).max() <= step / 2 + 1e-7
    assert sorted(calls) == ["a", "b"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_piece_is_cut_from_the_field_as_it_is_kept(tmp_path, sites, kind):
    truth = {s.id: np.random.default_rng(i).random((2, 4, 4), np.float32) for i, s in
             enumerate(sites)}  # fmt: skip
    store = kept(tmp_path, kind, lambda site: truth[site.id])
    whole = store.read(sites)
    corners = np.array([[1, 2], [2, 0]])
    found = store.read_pieces(sites, corners, 2)
    assert found.dtype == np.float32
    for item, piece, (y, x) in zip(whole, found, corners.tolist(), strict=True):
        np.testing.assert_array_equal(piece, item[:, y : y + 2, x : x + 2])


def test_a_changed_file_is_decoded_anew_and_a_lost_one_is_named(tmp_path, sites):
    values = iter([np.zeros((1, 4, 4), np.float32), np.ones((1, 4, 4), np.float32)])
    store = kept(tmp_path, "uint8", lambda site: next(values))
    assert store.read(sites[:1]).max() == 0
    (tmp_path / "a.png").write_bytes(b"another")
    assert store.read(sites[:1]).min() == 1
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"a\.png"):
        store.read(sites[:1])


@given(st.floats(0, 1, width=32))
def test_the_ends_and_what_lies_between_stay_in_order(value):
    for kind in KINDS:
        most = np.iinfo(kind).max
        assert 0 <= np.rint(np.float32(value) * most) <= most
