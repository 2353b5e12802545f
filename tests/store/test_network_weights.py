"""Files of network weights: card and weights in one, found by name, refused where foreign."""

import hashlib
import json
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from cellwise.errors import FormatError, UsageError
from cellwise.store import network_weights
from cellwise.store.network_weights import (
    NetworkCard,
    find_network,
    list_networks,
    network_digest,
    read_network,
    read_network_card,
    user_weights,
    write_network,
)

CARD = NetworkCard(
    "mine", {"name": "small_unet", "width": 8}, ("nucleus", "er"), {"scale": 0.25, "note": "µ"}
)
TENSORS: dict[str, Any] = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a.n": np.array(3, np.int64),
}


@pytest.fixture(autouse=True)
def no_other_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(network_weights, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("CELLWISE_MODELS", raising=False)


def test_what_was_written_comes_back(tmp_path):
    path = tmp_path / "mine.safetensors"
    digest = write_network(path, TENSORS, CARD)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest() == network_digest(path)
    card, tensors = read_network(path)
    assert card == CARD == read_network_card(path)
    assert set(tensors) == set(TENSORS)
    for name, value in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], value)
        assert tensors[name].dtype == value.dtype
        assert tensors[name].shape == value.shape
    tensors["b"][:] = 0


def test_the_same_weights_give_the_same_bytes(tmp_path):
    one = write_network(tmp_path / "a.safetensors", TENSORS, CARD)
    turned = dict(reversed(TENSORS.items()))
    assert write_network(tmp_path / "b.safetensors", turned, CARD) == one


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(facts=st.dictionaries(st.text(), json_values, max_size=4))
def test_any_facts_survive(tmp_path_factory, facts):
    path = tmp_path_factory.mktemp("w") / "x.safetensors"
    write_network(path, TENSORS, NetworkCard("x", {"name": "n"}, (), facts))
    assert read_network_card(path).facts == facts


def test_a_changed_file_has_another_digest(tmp_path):
    path = tmp_path / "mine.safetensors"
    write_network(path, TENSORS, CARD)
    first = network_digest(path)
    write_network(path, {**TENSORS, "b": TENSORS["b"] + 1}, CARD)
    assert network_digest(path) != first


@pytest.mark.parametrize("cut", [0, 4, 30, -1])
def test_a_torn_file_is_refused(tmp_path, cut):
    path = tmp_path / "mine.safetensors"
    write_network(path, TENSORS, CARD)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(FormatError, match="damaged or no safetensors"):
        read_network(path)


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file(TENSORS, path)
    with pytest.raises(FormatError, match="no card of cellwise"):
        read_network(path)
    save_file(TENSORS, path, metadata={"cellwise_network": '{"format": 99}'})
    with pytest.raises(FormatError, match="newer cellwise"):
        read_network(path)
    save_file(TENSORS, path, metadata={"cellwise_network": '{"format": 1}'})
    with pytest.raises(FormatError, match="card cannot be read"):
        read_network(path)
    with pytest.raises(FormatError, match="not there"):
        read_network(tmp_path / "nowhere.safetensors")


CARD_TEXT = {"format": 1, "name": "x", "net": {"name": "n"}, "channels": [], "facts": {}}


@pytest.mark.parametrize(
    "change",
    [
        {"net": "abc"},
        {"net": ["abc"]},
        {"net": [["name", "n"]]},
        {"net": {}},
        {"net": {"name": 3}},
        {"facts": "abc"},
        {"facts": None},
        {"channels": "nucleus"},
        {"channels": 3},
    ],
    ids=str,
)
def test_a_card_of_another_shape_is_refused(tmp_path, change):
    path = tmp_path / "odd.safetensors"
    save_file(TENSORS, path, metadata={"cellwise_network": json.dumps(CARD_TEXT)})
    assert read_network_card(path).net == {"name": "n"}
    save_file(TENSORS, path, metadata={"cellwise_network": json.dumps({**CARD_TEXT, **change})})
    with pytest.raises(FormatError, match=r"odd\.safetensors: its card cannot be read"):
        read_network_card(path)


@pytest.mark.parametrize("text", ["", "[]", "3", "null", '"abc"', "[" * 100_000, "{"])
def test_a_card_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "odd.safetensors"
    save_file(TENSORS, path, metadata={"cellwise_network": text})
    with pytest.raises(FormatError, match="card cannot be read"):
        read_network_card(path)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UsageError, match="safetensors"):
        write_network(tmp_path / "mine.pth", TENSORS, CARD)


def test_names_are_looked_up_in_order(tmp_path, monkeypatch):
    given_path = tmp_path / "own" / "mine.safetensors"
    write_network(given_path, TENSORS, CARD)
    assert find_network(str(given_path)) == given_path
    users = user_weights() / "mine.safetensors"
    write_network(users, TENSORS, CARD)
    assert find_network("mine") == users
    monkeypatch.setenv("CELLWISE_MODELS", str(tmp_path / "own"))
    assert find_network("mine") == given_path
    shipped = tmp_path / "shipped" / "mine.safetensors"
    write_network(shipped, TENSORS, CARD)
    assert find_network("mine") == shipped
    assert list_networks() == [shipped]


def test_what_is_nowhere_is_named_with_a_remedy(tmp_path):
    write_network(tmp_path / "shipped" / "small_unet.safetensors", TENSORS, CARD)
    with pytest.raises(UsageError, match=r"Did you mean 'small_unet'.*CELLWISE_MODELS"):
        find_network("smal_unet")
    with pytest.raises(UsageError, match=r"No file of weights is at .*x\.safetensors"):
        find_network(str(tmp_path / "x.safetensors"))
    with pytest.raises(UsageError, match="No weights are named"):
        find_network("")
